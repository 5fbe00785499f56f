"""Wrap the networks for several ranks, after a pass that finds parameters without a gradient."""

from __future__ import annotations

from hpc_dl.data.sampler import Batches
from hpc_dl.train import gradient_sync
from hpc_dl.train.engine import Engine
from hpc_dl.train.reproducibility import STEP, seed_generators
from hpc_dl.zoo.contract import Batch


def distribute(engine: Engine, batches: Batches) -> None:
    """Wrap the networks of an engine at step 0 for several ranks; on one rank, do nothing.

    A pass without an optimizer step shows which parameters have no gradient. Another follows, for
    DDP lays out its buckets anew after its first backward pass, and the order in which three ranks
    or more are added up follows the layout: a resumed run would add up its first step otherwise
    than one that was never interrupted.
    """
    if engine.world.size == 1:
        return
    own = batches.of_step(0)
    batch = own[0] if own else None
    engine.buffers.save()
    if not engine.is_sharded:
        _find_unused(engine, batch, batches)
        _wrap(engine)
    _find_unused(engine, batch, batches)
    engine.buffers.restore()
    engine.world.broadcast(b for net in engine.unwrapped.values() for b in net.buffers())


def _wrap(engine: Engine) -> None:
    """Wrap networks by DDP; those with unused parameters are averaged after the backward pass."""
    for name, player in engine.players.items():
        network = engine.unwrapped[name]
        if player.parameters and not (engine.find_unused or engine.unused.get(name)):
            player.network = gradient_sync.ddp(network, engine.world)
        else:
            engine.world.broadcast(network.parameters())
        engine.nets[name] = player.network
    if any(it.network is engine.unwrapped[name] for name, it in engine.players.items()):
        engine.gradient_averaging = gradient_sync.GradientAveraging(engine.world)


def _find_unused(engine: Engine, batch: Batch | None, batches: Batches) -> None:
    """Compute each player's gradients once; parameters without one on some rank are `unused`."""
    seed_generators(engine.world.device, engine.seed, STEP, 0, engine.world.rank)
    missing: dict[str, list[str]] = {}
    for name in trained_players(engine):
        with engine.only_trainable(name), engine.dummy_statistics(batch):
            given = batches.dummy_batch() if batch is None else batch
            loss = engine.architecture.loss(engine.nets, given, name)
            engine.reach_backward(waits=True)
            engine.backward(name, loss.total / loss.count)
        missing[name] = gradient_sync.without_gradient(engine.players[name].named)
        engine.unwrapped[name].zero_grad()
    ranks = engine.world.gather_objects(missing)
    engine.unused = {
        name: [it for it in engine.players[name].named if any(it in rank[name] for rank in ranks)]
        for name in missing
    }


def trained_players(engine: Engine) -> list[str]:
    """Return the players with trainable parameters, in the order of the architecture."""
    named = [name for name in engine.architecture.players if name in engine.players]
    return [name for name in named or engine.players if engine.players[name].parameters]
