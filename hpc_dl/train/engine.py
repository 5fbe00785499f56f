"""The training step: each player whose update is due takes an optimizer step on its own loss.

The engine never looks inside a batch, and knows neither journal, files nor signals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.jobspec.train import Train
from hpc_dl.train import gradient_sync
from hpc_dl.train.batch_norm import excluded_from_statistics
from hpc_dl.train.carry import Carry
from hpc_dl.train.global_mean import GlobalMean
from hpc_dl.train.gradient_sync import full_tensor, sync_gradients
from hpc_dl.train.metric_accumulator import MetricAccumulator
from hpc_dl.train.player import BufferBackup, Player
from hpc_dl.train.reproducibility import STEP, seed_generators
from hpc_dl.train.warm_start import WarmStart
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Architecture, Batch, Loss, Nets

_PROGRESS = 0.01  # of a step, for a point in it at which the ranks wait for each other


@dataclass(frozen=True)
class NonFiniteUpdate:
    """One player's update that was skipped because its loss was not finite."""

    step: int
    player: str
    total: float
    """The loss over all ranks."""


class Engine:
    """The players, the step that they have reached, and the metrics since the last report."""

    def __init__(
        self,
        architecture: Architecture,
        players: Mapping[str, Player],
        scaler: torch.amp.GradScaler | None,
        world: World,
        options: Train,
        carry: Carry | None = None,
        examples_of: Callable[[int], int] | None = None,
    ) -> None:
        self.architecture = architecture
        self.players = players
        self.unwrapped = {name: player.network for name, player in players.items()}
        self.nets = dict(self.unwrapped)
        """Wrapped for several ranks after `distribute`."""
        self.ema_nets = {name: it.ema.network for name, it in players.items() if it.ema}
        self.scaler = scaler
        """Of the loss, for fp16; accelerate's own wrappers of `backward` and of the optimizer
        would cost more than the rest of the loop together."""
        self.is_sharded = options.strategy == "fsdp"
        """True if each rank holds a part of the weights, and all ranks have to compute together."""
        self.find_unused = options.find_unused_parameters
        self.unused: dict[str, list[str]] = {}
        """Parameters of each player that its first step leaves without a gradient."""
        self.gradient_averaging: gradient_sync.GradientAveraging | None = None
        """For networks that are not wrapped by DDP."""
        self.replayed_loss: Callable[[Nets, Batch, str], Loss] | None = None
        """In place of the architecture's, from a CUDA graph; see `cuda_graph`."""
        self.world = world
        self.seed = options.seed
        self.clip_norm = options.clip_norm
        self.step = 0
        self.carry = carry
        """Of recurrent states, where the batches go on where those before end."""
        self.examples_of = examples_of
        """How many examples the global batch of a step has, for ranks that are not to wait."""
        self.rate_factor = 1.0
        """Multiplies every learning rate; lowered after a roll-back."""
        self.metrics = MetricAccumulator(world)
        self.buffers = BufferBackup(self.unwrapped.values())
        self.begun = WarmStart()
        """What of the networks began with the weights of another training."""
        self._norms: dict[str, Tensor] = {}

    # ---- the step

    def train_step(
        self,
        micro_batches: Sequence[Batch | None],
        dummy_batch: Callable[[], Batch],
        report: bool,
    ) -> NonFiniteUpdate | None:
        """Take one optimizer step for each player whose update is due.

        `micro_batches` are this rank's part of the global batch; where there is None, the rank
        computes on `dummy_batch`, of which nothing counts. Gradient norms are measured before a
        `report`. An update whose loss is not finite changes nothing and ends the step; all ranks
        return it. Waits for the device until the loss is known, while gradients are computed.
        """
        seed_generators(self.world.device, self.seed, STEP, self.step, self.world.rank)
        updates = self.architecture.updates(self.step)
        self._norms = {}  # a resumed run knows none of before
        skipped = None
        for number, name in enumerate(updates):
            self.world.progress.advance(self.step + number / len(updates))
            skipped = self._update(name, micro_batches, dummy_batch, report)
            if skipped:
                break
        if self.world.size > 1:
            self._broadcast_buffers()
        self.step += 1
        return skipped

    def _broadcast_buffers(self) -> None:
        for name, net in self.nets.items():
            if not isinstance(net, DistributedDataParallel):  # which does so itself
                self.world.broadcast(self.unwrapped[name].buffers())

    def _update(
        self,
        name: str,
        micro_batches: Sequence[Batch | None],
        dummy_batch: Callable[[], Batch],
        report: bool,
    ) -> NonFiniteUpdate | None:
        player, count = self.players[name], len(micro_batches)
        player.set_rate(self.step, self.rate_factor)
        examples = self.examples_of(self.step) if self.examples_of else None
        mean = GlobalMean(self.world, count, examples, in_fp16=self.scaler is not None)
        self.buffers.save()
        with self.only_trainable(name):
            losses = [
                self._accumulate(name, batch, dummy_batch, mean, number, count)
                for number, batch in enumerate(micro_batches, start=1)
            ]
        self._share_gradients(name, player)
        mean.correct(player.gradients())
        total = mean.total()
        if not math.isfinite(total):
            player.zero_grad()
            self.buffers.restore()
            if self.carry:
                self.carry.discard()
            return NonFiniteUpdate(self.step, name, total)
        self.metrics.add(name, losses)
        if self.carry:
            self.carry.commit()
        self._clip(name, player, report)
        self._optimizer_step(player)
        if player.ema:
            player.ema.update(self.step)
        return None

    def _accumulate(
        self,
        name: str,
        batch: Batch | None,
        dummy_batch: Callable[[], Batch],
        mean: GlobalMean,
        number: int,
        count: int,
    ) -> Loss:
        """Add the gradients of micro-batch `number` of so many; those of a dummy batch are 0."""
        with sync_gradients(self.nets[name], number == count), self.dummy_statistics(batch):
            loss = self._loss(name, batch, dummy_batch, number)
            self.reach_backward(waits=number in (1, count))
            self.backward(name, mean.add(loss))
        return loss

    def _loss(
        self, name: str, batch: Batch | None, dummy_batch: Callable[[], Batch], number: int
    ) -> Loss:
        if batch is None:
            return _zeroed(self.architecture.loss(self.nets, dummy_batch(), name))
        if self.carry is None:
            loss_of = self.replayed_loss or self.architecture.loss
            return loss_of(self.nets, batch, name)
        before = self.carry.before(number)
        loss, after = self.architecture.carried_loss(self.nets, batch, name, before)
        self.carry.after(after)
        return loss

    def dummy_statistics(self, batch: Batch | None) -> AbstractContextManager[None]:
        """Exclude a dummy batch from batch norm statistics: one in place of no batch."""
        if batch is not None:
            return nullcontext()
        return excluded_from_statistics(self.unwrapped.values())

    def reach_backward(self, *, waits: bool) -> None:
        """Mark progress before a backward pass; in some the ranks wait: who is late must show."""
        progress = self.world.progress
        progress.advance(progress.at + (_PROGRESS if waits else 0))

    def backward(self, name: str, total: Tensor) -> None:
        """Compute the gradients of a player's loss, scaled for fp16."""
        if not total.requires_grad:
            raise UserError(
                f"the loss of player '{name}' does not depend on any of its parameters",
                hint=f"It has {len(self.players[name].parameters)} that require a gradient. "
                "Leave networks that are not trained out of `players`.",
                exit_code=EXIT_FAILED,
            )
        (self.scaler.scale(total) if self.scaler else total).backward()

    def _share_gradients(self, name: str, player: Player) -> None:
        """Average gradients that DDP does not, and check which parameters have one."""
        is_alone = self.world.size == 1
        if not is_alone and not self.is_sharded and player.network is self.unwrapped[name]:
            assert self.gradient_averaging is not None
            self.gradient_averaging.average(player.parameters)
        elif not is_alone or name not in self.unused:
            missing = gradient_sync.without_gradient(player.named)
            if missing != self.unused.setdefault(name, missing):
                raise gradient_sync.changed_error(self.step, name, missing, self.unused[name])

    def _clip(self, name: str, player: Player, report: bool) -> None:
        """Clip the gradients by their norm, and keep the norm for a report."""
        if self.clip_norm is None and not report:
            return
        if self.scaler:
            self.scaler.unscale_(player.optimizer)
        norm = full_tensor(nn.utils.get_total_norm(player.gradients()))
        if self.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(player.parameters, self.clip_norm, norm)
        self._norms[name] = norm

    def _optimizer_step(self, player: Player) -> None:
        if self.scaler:
            self.scaler.step(player.optimizer)
            self.scaler.update()
        else:
            player.step()
        player.zero_grad()

    def only_trainable(self, name: str) -> AbstractContextManager[None]:
        """Freeze the other players, and leave out their gradient sync."""
        others = [player for other, player in self.players.items() if other != name]
        return _frozen(others) if others else nullcontext()

    def report(self) -> dict[str, float]:
        """Return means over all ranks since the last report, learning rates and gradient norms.

        The one place in the loop that waits for the device.
        """
        values: dict[str, float] = {}
        means = self.metrics.means()
        for name, player in self.players.items():
            prefix = "train/" if len(self.players) == 1 else f"train/{name}/"
            values |= {prefix + key: value for key, value in means.get(name, {}).items()}
            values[prefix + "lr"] = player.rate(self.step - 1) * self.rate_factor
            if name in self._norms:
                values[prefix + "grad_norm"] = float(self._norms[name])
        return values

    # ---- the networks and the state

    @property
    def evaluation_nets(self) -> dict[str, nn.Module]:
        """The unwrapped networks to evaluate and export: with EMA weights, where there are any."""
        return {**self.unwrapped, **self.ema_nets}

    def full_nets(self) -> dict[str, nn.Module]:
        """Return evaluation networks with all weights, on rank 0 at least; all ranks call this."""
        if not self.is_sharded:
            return self.evaluation_nets
        from hpc_dl.train.fsdp import full_state_dict

        weights = {name: full_state_dict(net) for name, net in self.unwrapped.items()}
        if self.world.rank > 0:
            return {}
        nets = self.architecture.networks()
        for name, net in nets.items():
            net.load_state_dict(weights[name])
        return nets

    def state(self) -> dict[str, Any]:
        """Return everything that the next step depends on; all ranks call this together.

        What FSDP has sharded is not in it: see `sharded_checkpoint`.
        """
        nets = {} if self.is_sharded else self.unwrapped
        return {
            "step": self.step,
            "networks": {name: net.state_dict() for name, net in nets.items()},
            "averages": {name: net.state_dict() for name, net in self.ema_nets.items()},
            "optimizers": {name: self.players[name].optimizer.state_dict() for name in nets},
            "scaler": self.scaler.state_dict() if self.scaler else None,
            "rate_factor": self.rate_factor,
            "sums": self.metrics.state(),
            "carry": self.carry.state() if self.carry else None,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from where `state` was taken."""
        self.step = state["step"]
        self.rate_factor = state["rate_factor"]
        self.load_networks(state)
        for name, moments in state["optimizers"].items():
            self.players[name].load_moments(moments)
        if self.scaler and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        self.metrics.load(state["sums"])
        if self.carry:
            self.carry.load(state["carry"])

    def load_networks(self, state: Mapping[str, Any]) -> None:
        """Load the weights alone."""
        for nets, key in ((self.unwrapped, "networks"), (self.ema_nets, "averages")):
            for name, weights in state[key].items():
                nets[name].load_state_dict(weights)


@contextmanager
def _frozen(players: Sequence[Player]) -> Iterator[None]:
    for player in players:
        player.set_trainable(False)
    try:
        yield
    finally:
        for player in players:
            player.set_trainable(True)


def _zeroed(loss: Loss) -> Loss:
    return Loss(loss.total * 0, 0, {name: value * 0 for name, value in loss.logs.items()})
