"""One step of the game: players take turns, each descends its own loss.

The engine never looks inside a batch, and knows neither the journal nor the file system.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from hpc_dl.data.batches import Batches
from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.spec.job import Train
from hpc_dl.train import gradients
from hpc_dl.train.batch_norm import of_a_dummy
from hpc_dl.train.divided import summed_up, whole
from hpc_dl.train.player import Player
from hpc_dl.train.randomness import STEP, seed_generators
from hpc_dl.train.tally import Tally, Turn
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Architecture, Batch, Loss

_NOTHING = torch.zeros(())
_A_LITTLE = 0.01  # of a step


class Engine:
    """The players, where they stand, and the running sums since the last report."""

    def __init__(
        self,
        architecture: Architecture,
        players: Mapping[str, Player],
        scaler: torch.amp.GradScaler | None,
        world: World,
        options: Train,
        asked_to_stop: Callable[[], int],
    ) -> None:
        self.architecture = architecture
        self.players = players
        self.bare = {name: player.network for name, player in players.items()}
        self.nets = dict(self.bare)
        """As the ranks share them, once `settle_in` has been called."""
        averages = {name: player.average for name, player in players.items()}
        self.averages = {name: it.network for name, it in averages.items() if it}
        self.scaler = scaler
        """Of the loss, for fp16; accelerate's own wrappers of `backward` and of the optimizer
        would cost more than the rest of the loop together."""
        self.sharded = options.strategy == "fsdp"
        """Whether a rank holds a share of the weights alone, and all have to move together."""
        self.find_unused = options.find_unused_parameters
        self.unused: dict[str, list[str]] = {}
        """Parameters of each player that its first step leaves without a gradient."""
        self.world = world
        self.seed = options.seed
        self.clip_norm = options.clip_norm
        self.step = 0
        self.rate_factor = 1.0
        """By which every learning rate is multiplied; lowered after a loss that was not finite."""
        self.tally = Tally(world)
        self._norms: dict[str, Tensor] = {}
        self._asked = asked_to_stop

    def settle_in(self, batches: Batches) -> None:
        """Share the networks among the ranks; to be called before the first step, on several ranks.

        A pass that moves nothing shows which parameters a step leaves without a gradient. Another
        follows, for DDP lays out its buckets anew after its first backward pass, and the order in
        which three ranks or more are added up follows the layout: a resumed run would add up its
        first step otherwise than one that was never disturbed.
        """
        if self.world.size == 1:
            return
        mine = batches.of_step(0)
        batch, filler = mine[0] if mine else None, batches.filler
        buffers = [b for net in self.bare.values() for b in net.buffers()]
        before = [buffer.clone() for buffer in buffers]
        if not self.sharded:
            self._look_for_unused(batch, filler)
            for name, player in self.players.items():
                if player.parameters and not (self.find_unused or self.unused.get(name)):
                    player.network = gradients.ddp(self.bare[name], self.world)
                else:
                    self.world.broadcast(self.bare[name].parameters())
                self.nets[name] = player.network
        self._look_for_unused(batch, filler)
        for buffer, value in zip(buffers, before, strict=True):
            buffer.copy_(value)
        self.world.broadcast(buffers)

    def _look_for_unused(self, batch: Batch | None, filler: Callable[[], Batch]) -> None:
        """Take each player's gradient for nothing; what some rank leaves out of it is `unused`."""
        seed_generators(self.world.device, self.seed, STEP, 0, self.world.rank)
        missing: dict[str, list[str]] = {}
        for name in self._moving():
            dummy = of_a_dummy(self.bare.values()) if batch is None else nullcontext()
            with self._only(name), dummy:
                loss = self.architecture.loss(self.nets, filler() if batch is None else batch, name)
                self._reached_the_backward_pass(last=True)
                self._differentiate(name, loss.total)
            missing[name] = gradients.without(self.players[name].named)
            self.bare[name].zero_grad()
        ranks = self.world.gather_objects(missing)
        self.unused = {
            name: [it for it in self.players[name].named if any(it in rank[name] for rank in ranks)]
            for name in missing
        }

    def _moving(self) -> list[str]:
        """The players that have something to move: a frozen network takes no turn."""
        taking_turns = [name for name in self.architecture.players if name in self.players]
        return [name for name in taking_turns or self.players if self.players[name].parameters]

    def play(
        self, micro_batches: Sequence[Batch | None], filler: Callable[[], Batch], report: bool
    ) -> None:
        """Take one optimizer step for each player whose turn it is.

        `micro_batches` are this rank's part of the global batch; where there is None, `filler`
        gives one example to go through the motions with. Before a `report` the gradients are
        measured. Nothing here waits for the device.
        """
        seed_generators(self.world.device, self.seed, STEP, self.step, self.world.rank)
        turns = self.architecture.turns(self.step)
        for number, name in enumerate(turns):
            self.world.mark.reach(self.step + number / len(turns))
            self._turn(name, micro_batches, filler, report)
        for name, net in self.nets.items():
            if not isinstance(net, DistributedDataParallel):  # which does so itself
                self.world.broadcast(self.bare[name].buffers())
        self.step += 1

    def _turn(
        self,
        name: str,
        micro_batches: Sequence[Batch | None],
        filler: Callable[[], Batch],
        report: bool,
    ) -> None:
        player = self.players[name]
        player.set_rate(self.step, self.rate_factor)
        alone = self.world.size == 1 and len(micro_batches) == 1
        with self._only(name):
            losses = [
                self._go_through_the_motions(name, filler(), last)
                if batch is None
                else self._backward(name, batch, last, divide=alone)
                for batch, last in _marking_the_last(micro_batches)
            ]
        self._share_gradients(name, player)
        if alone:
            total, asked = losses[0].total, _NOTHING
        else:
            total, asked = self._divide_by_the_global_count(player, losses)
        self.tally.take(Turn(self.step, name, _summed(name, losses), total, asked))
        self._clip(name, player, report)
        self._move(player.optimizer, total)
        if player.average:
            player.average.follow(self.step)

    def _backward(self, name: str, batch: Batch, last: bool, *, divide: bool) -> Loss:
        with summed_up(self.nets[name], last):
            loss = self.architecture.loss(self.nets, batch, name)
            self._reached_the_backward_pass(last)
            self._differentiate(name, loss.total / loss.count if divide else loss.total)
        return _detached(loss)

    def _reached_the_backward_pass(self, last: bool) -> None:
        """In the last of them the ranks wait for each other: who is not there holds them up."""
        mark = self.world.mark
        mark.reach(mark.at + (_A_LITTLE if last else 0))

    def _differentiate(self, name: str, total: Tensor) -> None:
        if not total.requires_grad:
            raise UserError(
                f"the loss of player '{name}' does not depend on any of its parameters",
                hint=f"It has {len(self.players[name].parameters)} that require a gradient. "
                "Networks that are not to learn take no turn: leave them out of `players`.",
                exit_code=EXIT_FAILED,
            )
        (self.scaler.scale(total) if self.scaler else total).backward()

    def _move(self, optimizer: torch.optim.Optimizer, total: Tensor) -> None:
        """Step, unless the loss is not finite: the device decides, and nobody waits for it."""
        if self.scaler:
            self.scaler.step(optimizer)
            self.scaler.update()
        elif self.world.device.type == "cuda" and optimizer.defaults["fused"]:
            optimizer.found_inf = (total - total).ne(0).float()  # type: ignore[attr-defined]
            optimizer.step()
        elif math.isfinite(total.item()):
            optimizer.step()
        optimizer.zero_grad()

    def _go_through_the_motions(self, name: str, example: Batch, last: bool) -> Loss:
        """Take part in the gradients' sum with nothing, as a rank must whose slice is empty."""
        with summed_up(self.nets[name], last), of_a_dummy(self.bare.values()):
            loss = self.architecture.loss(self.nets, example, name)
            nothing = Loss(loss.total * 0, 0, {key: value * 0 for key, value in loss.logs.items()})
            self._reached_the_backward_pass(last)
            self._differentiate(name, nothing.total)
        return _detached(nothing)

    def _share_gradients(self, name: str, player: Player) -> None:
        """See that all ranks have the gradients of all, and of the parameters that are known."""
        alone = self.world.size == 1
        if not alone and not self.sharded and player.network is self.bare[name]:
            gradients.average(player.parameters, self.world)
        elif not alone or name not in self.unused:
            missing = gradients.without(player.named)
            if missing != self.unused.setdefault(name, missing):
                raise gradients.changed(self.step, name, missing, self.unused[name])

    def _divide_by_the_global_count(
        self, player: Player, losses: Sequence[Loss]
    ) -> tuple[Tensor, Tensor]:
        """Turn gradients of sums, averaged over the ranks, into the gradient of the mean.

        Returns the loss over all ranks and what they were asked for meanwhile (`asked_to_stop`),
        which travel with the count.
        """
        device, size = self.world.device, self.world.size
        total = sum(loss.total for loss in losses)
        local = [sum(loss.count for loss in losses), self._asked(), total]
        row = torch.stack([torch.as_tensor(v, dtype=torch.float64, device=device) for v in local])
        count, asked, total = self.world.sum(row)
        if held := player.gradients():
            torch._foreach_mul_(held, (size / count).to(held[0].dtype))
        return total, asked

    def _clip(self, name: str, player: Player, report: bool) -> None:
        if self.clip_norm is None and not report:
            return
        if self.scaler:
            self.scaler.unscale_(player.optimizer)
        norm = whole(nn.utils.get_total_norm(player.gradients()))
        if self.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(player.parameters, self.clip_norm, norm)
        self._norms[name] = norm

    @contextmanager
    def _only(self, name: str) -> Iterator[None]:
        """Freeze the other players, and keep their gradients at home."""
        others = [player for other, player in self.players.items() if other != name]
        for player in others:
            player.learn(False)
        try:
            yield
        finally:
            for player in others:
                player.learn(True)

    def settle(self, *, wait: bool) -> tuple[int, list[Turn]]:
        """What the ranks were asked for, added up, and the turns whose loss was not finite.

        The same on every rank. On a GPU it is the answer of the step before, unless one is to
        `wait` for the device.
        """
        asked, bad = self.tally.settle(wait=wait)
        if self.world.size == 1:
            asked = self._asked()
        if asked:  # something comes now for which nothing may be left open
            more, late = self.tally.settle(wait=True)
            return asked + more, bad + late
        return asked, bad

    def report(self) -> dict[str, float]:
        """Means over all ranks since the last report, learning rates and gradient norms.

        The one place in the loop that waits for the device.
        """
        values: dict[str, float] = {}
        means = self.tally.means()
        for name, player in self.players.items():
            prefix = "train/" if len(self.players) == 1 else f"train/{name}/"
            values |= {prefix + key: value for key, value in means.get(name, {}).items()}
            values[prefix + "lr"] = player.rate(self.step - 1) * self.rate_factor
            if name in self._norms:
                values[prefix + "grad_norm"] = float(self._norms[name])
        return values

    @property
    def best_nets(self) -> dict[str, nn.Module]:
        """The networks to judge the training by: averaged ones, where there are."""
        return {**self.bare, **self.averages}

    def whole_nets(self) -> dict[str, nn.Module]:
        """Networks with all weights, on rank 0 at least; all ranks have to call this together."""
        if not self.sharded:
            return self.best_nets
        from hpc_dl.train.sharding import whole_weights

        weights = {name: whole_weights(net) for name, net in self.bare.items()}
        if self.world.rank > 0:
            return {}
        nets = self.architecture.networks()
        for name, net in nets.items():
            net.load_state_dict(weights[name])
        return nets

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on; all ranks have to call this together.

        What is divided over the ranks is not among it: see `sharding.Shards`.
        """
        nets = {} if self.sharded else self.bare
        return {
            "step": self.step,
            "networks": {name: net.state_dict() for name, net in nets.items()},
            "averages": {name: net.state_dict() for name, net in self.averages.items()},
            "optimizers": {name: self.players[name].optimizer.state_dict() for name in nets},
            "scaler": self.scaler.state_dict() if self.scaler else None,
            "rate_factor": self.rate_factor,
            "sums": self.tally.state(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Stand where `state` was taken."""
        self.step = state["step"]
        self.rate_factor = state["rate_factor"]
        self.load_networks(state)
        for name, moments in state["optimizers"].items():
            self.players[name].optimizer.load_state_dict(moments)
        if self.scaler and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        self.tally.load(state["sums"])

    def load_networks(self, state: Mapping[str, Any]) -> None:
        """Take the weights alone from where `state` was taken."""
        for nets, kept in ((self.bare, "networks"), (self.averages, "averages")):
            for name, weights in state[kept].items():
                nets[name].load_state_dict(weights)


def _marking_the_last(items: Sequence[Batch | None]) -> Iterator[tuple[Batch | None, bool]]:
    for number, item in enumerate(items, start=1):
        yield item, number == len(items)


def _detached(loss: Loss) -> Loss:
    logs = {name: value.detach() for name, value in loss.logs.items()}
    return Loss(loss.total.detach(), loss.count, logs)


def _summed(player: str, losses: Sequence[Loss]) -> dict[str, Tensor | float]:
    """What a turn adds to the sums since the last report."""
    sums: dict[str, Tensor | float] = {}
    for loss in losses:
        for key, value in (("loss", loss.total), *loss.logs.items(), ("count", loss.count)):
            name = f"{player}/{key}"
            sums[name] = sums[name] + value if name in sums else value
    return sums
