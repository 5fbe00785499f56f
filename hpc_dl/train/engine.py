"""One step of the game: players take turns, each descends its own loss.

The engine never looks inside a batch, and knows neither the journal nor the file system.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from hpc_dl.data.order import mix
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Architecture, Batch, Loss

STEP, EVALUATION, DRAWING, INITIALISATION = range(4)
"""What random numbers are drawn for; each purpose has a stream of its own."""


def seed_generators(device: torch.device, *key: int) -> None:
    """Make the random numbers from here on a function of `key`."""
    value = mix(*key)
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index].manual_seed(value)


@dataclass
class Player:
    """A network as the ranks share it, its optimizer, and its learning rate by step."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    rate: Callable[[int], float]
    parameters: list[nn.Parameter] = field(init=False)

    def __post_init__(self) -> None:
        self.parameters = [p for p in self.network.parameters() if p.requires_grad]

    def set_rate(self, step: int) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(step)


class Engine:
    """The players, where they stand, and the running sums since the last report."""

    def __init__(
        self,
        architecture: Architecture,
        players: Mapping[str, Player],
        accelerator: Accelerator,
        world: World,
        *,
        seed: int,
        clip_norm: float | None,
        asked_to_stop: Callable[[], int],
    ) -> None:
        self.architecture = architecture
        self.players = players
        self.nets = {name: player.network for name, player in players.items()}
        self.bare = {name: accelerator.unwrap_model(net) for name, net in self.nets.items()}
        self.scaler = accelerator.scaler
        """Of the loss, for fp16; accelerate's own wrappers of `backward` and of the optimizer
        would cost more than the rest of the loop together."""
        self.world = world
        self.seed = seed
        self.clip_norm = clip_norm
        self.step = 0
        self.sums: dict[str, Tensor | float] = {}
        self._norms: dict[str, Tensor] = {}
        self._asked = asked_to_stop
        self._asked_anywhere: list[Tensor] = []

    def play(
        self, micro_batches: Sequence[Batch], filler: Callable[[], Batch], report: bool
    ) -> None:
        """Take one optimizer step for each player whose turn it is.

        `micro_batches` are this rank's part of the global batch; where there is none, `filler`
        gives one example to go through the motions with. Before a `report` the gradients are
        measured. Nothing here waits for the device.
        """
        seed_generators(self.world.device, self.seed, STEP, self.step, self.world.rank)
        for name in self.architecture.turns(self.step):
            self._turn(name, micro_batches, filler, report)
        self.step += 1

    def _turn(
        self, name: str, micro_batches: Sequence[Batch], filler: Callable[[], Batch], report: bool
    ) -> None:
        player = self.players[name]
        player.set_rate(self.step)
        alone = self.world.size == 1 and len(micro_batches) == 1
        with self._only(name):
            counts = [
                self._backward(name, batch, last, divide=alone)
                for batch, last in _marking_the_last(micro_batches)
            ]
            if not micro_batches:
                self._go_through_the_motions(name, filler())
        if not alone:
            self._divide_by_the_global_count(player, counts)
        self._clip(name, player, report)
        self._move(player.optimizer)

    def _backward(self, name: str, batch: Batch, last: bool, *, divide: bool) -> int | Tensor:
        network = self.nets[name]
        waits = not last and isinstance(network, DistributedDataParallel)
        with network.no_sync() if waits else nullcontext():  # type: ignore[operator]
            loss = self.architecture.loss(self.nets, batch, name)
            self._differentiate(loss.total / loss.count if divide else loss.total)
        self._add(name, loss)
        return loss.count

    def _differentiate(self, total: Tensor) -> None:
        (self.scaler.scale(total) if self.scaler else total).backward()

    def _move(self, optimizer: torch.optim.Optimizer) -> None:
        if self.scaler:
            self.scaler.step(optimizer)
            self.scaler.update()
        else:
            optimizer.step()
        optimizer.zero_grad()

    def _go_through_the_motions(self, name: str, example: Batch) -> None:
        """Take part in the gradients' sum with nothing, as a rank must whose slice is empty."""
        loss = self.architecture.loss(self.nets, example, name)
        nothing = Loss(loss.total * 0, 0, {key: value * 0 for key, value in loss.logs.items()})
        self._differentiate(nothing.total)
        self._add(name, nothing)

    def _divide_by_the_global_count(self, player: Player, counts: Sequence[int | Tensor]) -> None:
        """Turn gradients of sums, averaged over the ranks, into the gradient of the mean.

        What the ranks were asked for meanwhile (`asked_to_stop`) travels with the count.
        """
        device, size = self.world.device, self.world.size
        local = [sum(counts), self._asked()]
        pair = torch.stack([torch.as_tensor(v, dtype=torch.float64, device=device) for v in local])
        self.world.sum(pair)
        self._asked_anywhere.append(pair[1])
        gradients = [p.grad for p in player.parameters if p.grad is not None]
        torch._foreach_mul_(gradients, (size / pair[0]).to(gradients[0].dtype))

    def _clip(self, name: str, player: Player, report: bool) -> None:
        if self.clip_norm is None and not report:
            return
        if self.scaler:
            self.scaler.unscale_(player.optimizer)
        gradients = [p.grad for p in player.parameters if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        if self.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(player.parameters, self.clip_norm, norm)
        self._norms[name] = norm

    def _add(self, name: str, loss: Loss) -> None:
        for key, value in (("loss", loss.total), *loss.logs.items()):
            self.sums[f"{name}/{key}"] = self.sums.get(f"{name}/{key}", 0.0) + value.detach()
        self.sums[f"{name}/count"] = self.sums.get(f"{name}/count", 0) + loss.count

    @contextmanager
    def _only(self, name: str) -> Iterator[None]:
        """Freeze the other players, and keep their gradients at home."""
        others = [player for other, player in self.players.items() if other != name]
        for player in others:
            _set_learning(player, learning=False)
        try:
            yield
        finally:
            for player in others:
                _set_learning(player, learning=True)

    def asked(self) -> int:
        """What the ranks were asked for, added up; the same on every rank.

        On several ranks it is the answer of the step before, so that the device need not be
        waited for.
        """
        if self.world.size == 1:
            return self._asked()
        known, self._asked_anywhere = self._asked_anywhere[:-1], self._asked_anywhere[-1:]
        return int(sum(int(flag) for flag in known))

    def report(self) -> dict[str, float]:
        """Means over all ranks since the last report, learning rates and gradient norms.

        The one place in the loop that waits for the device.
        """
        names = sorted(self.sums)
        sums = dict(zip(names, self.world.sums([self.sums[name] for name in names]), strict=True))
        self.sums = {}
        values: dict[str, float] = {}
        for name, player in self.players.items():
            prefix = "train/" if len(self.players) == 1 else f"train/{name}/"
            count = sums.pop(f"{name}/count", 0.0)
            for key in [key for key in sums if key.startswith(f"{name}/")]:
                values[prefix + key.removeprefix(f"{name}/")] = sums[key] / count
            values[prefix + "lr"] = player.rate(self.step - 1)
            if name in self._norms:
                values[prefix + "grad_norm"] = float(self._norms[name])
        return values

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on; all ranks have to call this together."""
        names = sorted(self.sums)
        rows = self.world.gather([self.sums[name] for name in names])
        return {
            "step": self.step,
            "networks": {name: net.state_dict() for name, net in self.bare.items()},
            "optimizers": {name: p.optimizer.state_dict() for name, p in self.players.items()},
            "scaler": self.scaler.state_dict() if self.scaler else None,
            "sums": [dict(zip(names, row, strict=True)) for row in rows],
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Stand where `state` was taken."""
        self.step = state["step"]
        for name, net in self.bare.items():
            net.load_state_dict(state["networks"][name])
            self.players[name].optimizer.load_state_dict(state["optimizers"][name])
        if self.scaler and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        self.sums = self._own_part(state["sums"])

    def _own_part(self, rows: Sequence[Mapping[str, float]]) -> dict[str, Tensor | float]:
        """This rank's running sums; on another world size rank 0 takes them all."""
        if len(rows) == self.world.size:
            return dict(rows[self.world.rank])
        total = {name: sum(row[name] for row in rows) for name in rows[0]}
        return dict(total if self.world.rank == 0 else dict.fromkeys(total, 0.0))


def _marking_the_last(items: Sequence[Batch]) -> Iterator[tuple[Batch, bool]]:
    for number, item in enumerate(items, start=1):
        yield item, number == len(items)


def _set_learning(player: Player, *, learning: bool) -> None:
    for parameter in player.parameters:
        parameter.requires_grad_(learning)
    if isinstance(player.network, DistributedDataParallel):
        player.network.require_backward_grad_sync = learning
