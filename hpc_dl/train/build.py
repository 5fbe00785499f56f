"""From a spec to an engine: networks, optimizers and learning rates, prepared for the ranks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hpc_dl.data.split import Splits
from hpc_dl.plan import Plan
from hpc_dl.spec.job import JobSpec
from hpc_dl.train import optim
from hpc_dl.train.engine import Engine
from hpc_dl.train.player import Player
from hpc_dl.train.randomness import INITIALISATION, seed_generators
from hpc_dl.train.sharding import shard
from hpc_dl.train.world import World, accelerator
from hpc_dl.zoo import build


def build_engine(
    spec: JobSpec,
    plan: Plan,
    splits: Splits,
    world: World,
    code: Path,
    asked_to_stop: Callable[[], int],
) -> Engine:
    """The engine at step 0; the initial weights are a function of the seed."""
    accelerate = accelerator(plan, world, spec.train.precision)
    architecture = build(spec.model, splits.facts, code)
    seed_generators(world.device, spec.train.seed, INITIALISATION)
    rate = optim.learning_rate(
        spec.train.schedule, spec.train.optimizer.lr, plan.steps, plan.steps_per_epoch
    )
    players, sharded = {}, spec.train.strategy == "fsdp"
    for name, network in architecture.networks().items():
        if sharded and world.size > 1:
            # Layer by layer it comes to the device, which may be too small for the whole.
            placed = accelerate.prepare_model(network, device_placement=False, evaluation_mode=True)
            prepared = shard(placed, world)
        else:
            prepared = accelerate.prepare_model(network)
        optimizer = optim.optimizer(spec.train.optimizer, network)
        players[name] = Player(prepared, optimizer, rate)
    return Engine(
        architecture,
        players,
        accelerate,
        world,
        seed=spec.train.seed,
        clip_norm=spec.train.clip_norm,
        asked_to_stop=asked_to_stop,
        sharded=sharded,
    )
