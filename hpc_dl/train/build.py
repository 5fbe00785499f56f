"""Build the engine of a job spec: networks, optimizers, learning rates, on this rank's device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from hpc_dl import tasks
from hpc_dl.data.dataset import Splits
from hpc_dl.data.sampler import Batches, Order
from hpc_dl.data.transforms import augmentation
from hpc_dl.jobspec.data import Data, RaggedData
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.model import UserModel
from hpc_dl.planning import data_loading
from hpc_dl.planning.plan import Plan
from hpc_dl.run.initial_weights import InitialWeights
from hpc_dl.train import batch_norm, optim, warm_start
from hpc_dl.train.carry import Carry
from hpc_dl.train.engine import Engine
from hpc_dl.train.player import EMA, Player
from hpc_dl.train.reproducibility import INITIALISATION, seed_generators
from hpc_dl.train.world import World, accelerator
from hpc_dl.zoo import build
from hpc_dl.zoo.layers.standardise import fit_statistics


def build_engine(
    spec: JobSpec,
    plan: Plan,
    splits: Splits,
    world: World,
    code: Path,
    rate: Callable[[int], float],
    initial: InitialWeights | None = None,
) -> Engine:
    """Build the engine at step 0; the initial weights are a function of the seed, or `initial`.

    `rate` is the learning rate by step, `code` the folder of the user's code.
    """
    accelerate = accelerator(plan, world, spec.train.precision)
    task = tasks.build(splits.facts, spec.train, splits.train.tensors, code)
    architecture = build(spec.model, splits.facts, code, task)
    seed_generators(world.device, spec.train.seed, INITIALISATION)
    players, sharded = {}, spec.train.strategy == "fsdp"
    networks = architecture.networks()
    fit_statistics(networks, splits.train.in_order, splits.train.sequences_in_order)
    begun = warm_start.begin(networks, initial, spec.model, splits.facts, code)
    for name, network in networks.items():
        if world.size > 1:
            batch_norm.synchronise(network, everywhere=spec.train.sync_batch_norm)
        is_whole = not sharded or world.size == 1  # else it is moved to the device layer by layer
        prepared = accelerate.prepare_model(
            network, device_placement=is_whole, evaluation_mode=True
        )
        prepared = prepared if is_whole else _shard(prepared, spec, world)
        if is_whole and _channels_last(spec, world.device):
            cast(Any, network).to(memory_format=torch.channels_last)
        scales = begun.lr_scales(name)
        optimizer = optim.optimizer(spec.train.optimizer, network, code, scales)
        ema = EMA(network, spec.train.ema_decay) if spec.train.ema_decay else None
        players[name] = Player(prepared, optimizer, rate, ema)
    carries = spec.data.carries_state
    carry = Carry(world, plan.global_batch, plan.micro_batch) if carries else None
    engine = Engine(
        architecture, players, accelerate.scaler, world, spec.train, carry, plan.examples_of
    )
    engine.begun = begun
    return engine


def _channels_last(spec: JobSpec, device: torch.device) -> bool:
    """Return whether convolutions are to have the channels last in memory, as tensor cores take
    them. A user's network may be written for the other layout: by `Tensor.view`."""
    in_half = spec.train.precision != "fp32"
    return device.type == "cuda" and in_half and not isinstance(spec.model, UserModel)


def place_splits(splits: Splits, device: torch.device) -> Splits:
    """Return splits whose batches are on a device, with all examples there if they fit."""
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory
        if splits.size > memory // data_loading.SHARE:
            return splits.held_for(device)
    return splits.to(device)


def build_batches(spec: JobSpec, plan: Plan, splits: Splits, world: World, code: Path) -> Batches:
    """Return this rank's share of the training batches, augmented as the job spec says; a user's
    augmentation is imported from `code`."""
    augment, kind = spec.data.augment, splits.facts.modality
    return Batches(
        splits.train,
        plan.global_batch,
        plan.micro_batch,
        spec.train.seed,
        world.rank,
        world.size,
        augmentation(augment, kind, world.device, code) if augment else None,
        order=_order(spec.data),
    )


def _order(options: Data) -> Order:
    if options.carries_state:
        return "lanes"
    return "by_length" if isinstance(options, RaggedData) and options.by_length else "shuffled"


def _shard(network: nn.Module, spec: JobSpec, world: World) -> nn.Module:
    from hpc_dl.train.fsdp import shard

    return shard(network, world, {"bf16": torch.bfloat16}.get(spec.train.precision))
