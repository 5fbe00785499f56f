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
from hpc_dl.jobspec.job import Train
from hpc_dl.train import gradients
from hpc_dl.train.batch_norm import of_a_dummy
from hpc_dl.train.buffers import Buffers
from hpc_dl.train.carry import Carry
from hpc_dl.train.global_mean import GlobalMean
from hpc_dl.train.metric_accumulator import BadTurn, Tally
from hpc_dl.train.participant import Player
from hpc_dl.train.randomness import STEP, seed_generators
from hpc_dl.train.sharded_tensors import summed_up, whole
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Architecture, Batch, Loss

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
        carry: Carry | None = None,
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
        self.carry = carry
        """Of recurrent states, where the batches go on where those before end."""
        self.rate_factor = 1.0
        """By which every learning rate is multiplied; lowered after a loss that was not finite."""
        self.tally = Tally(world)
        self._buffers = Buffers(self.bare.values())
        self._averaging: gradients.Averaging | None = None
        """For networks that are not DDP's."""
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
        self._buffers.keep()
        if not self.sharded:
            self._look_for_unused(batch, filler)
            for name, player in self.players.items():
                if player.parameters and not (self.find_unused or self.unused.get(name)):
                    player.network = gradients.ddp(self.bare[name], self.world)
                else:
                    self.world.broadcast(self.bare[name].parameters())
                self.nets[name] = player.network
            if any(player.network is self.bare[name] for name, player in self.players.items()):
                self._averaging = gradients.Averaging(self.world)
        self._look_for_unused(batch, filler)
        self._buffers.restore()
        self.world.broadcast(b for net in self.bare.values() for b in net.buffers())

    def _look_for_unused(self, batch: Batch | None, filler: Callable[[], Batch]) -> None:
        """Take each player's gradient for nothing; what some rank leaves out of it is `unused`."""
        seed_generators(self.world.device, self.seed, STEP, 0, self.world.rank)
        missing: dict[str, list[str]] = {}
        for name in self._moving():
            dummy = of_a_dummy(self.bare.values()) if batch is None else nullcontext()
            with self._only(name), dummy:
                loss = self.architecture.loss(self.nets, filler() if batch is None else batch, name)
                self._reached_the_backward_pass(waits=True)
                self._differentiate(name, loss.total / loss.count)
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
    ) -> tuple[int, BadTurn | None]:
        """Take one optimizer step for each player whose turn it is.

        `micro_batches` are this rank's part of the global batch; where there is None, `filler`
        gives one example to go through the motions with. Before a `report` the gradients are
        measured. A turn whose loss is not finite changes nothing, and ends the step.

        Returns what the ranks were asked for, added up, and such a turn: the same on every rank.
        The device is waited for until it knows the loss, while it has its gradients to compute.
        """
        seed_generators(self.world.device, self.seed, STEP, self.step, self.world.rank)
        turns = self.architecture.updates(self.step)
        self._norms = {}  # a run that is resumed here knows no others
        asked, bad = 0, None
        for number, name in enumerate(turns):
            self.world.mark.reach(self.step + number / len(turns))
            asked, bad = self._turn(name, micro_batches, filler, report)
            if bad:
                break
        for name, net in self.nets.items():
            if not isinstance(net, DistributedDataParallel):  # which does so itself
                self.world.broadcast(self.bare[name].buffers())
        self.step += 1
        return asked, bad

    def _turn(
        self,
        name: str,
        micro_batches: Sequence[Batch | None],
        filler: Callable[[], Batch],
        report: bool,
    ) -> tuple[int, BadTurn | None]:
        player = self.players[name]
        player.set_rate(self.step, self.rate_factor)
        mean = GlobalMean(self.world, len(micro_batches), self._asked)
        self._buffers.keep()
        with self._only(name):
            losses = [
                self._backward(name, batch, filler, mean, number, len(micro_batches))
                for number, batch in enumerate(micro_batches, start=1)
            ]
        self._share_gradients(name, player)
        mean.correct(player.gradients())
        total, asked = mean.read()
        if not math.isfinite(total):
            player.optimizer.zero_grad()
            self._buffers.restore()
            if self.carry:
                self.carry.discard()
            return asked, BadTurn(self.step, name, total)
        self.tally.add(name, losses)
        if self.carry:
            self.carry.commit()
        self._clip(name, player, report)
        self._move(player.optimizer)
        if player.average:
            player.average.follow(self.step)
        return asked, None

    def _backward(
        self,
        name: str,
        batch: Batch | None,
        filler: Callable[[], Batch],
        mean: GlobalMean,
        number: int,
        count: int,
    ) -> Loss:
        """Add the gradients of micro-batch `number` of so many; without a batch, nothing.

        A rank whose share is empty goes through the motions all the same.
        """
        dummy = of_a_dummy(self.bare.values()) if batch is None else nullcontext()
        with summed_up(self.nets[name], number == count), dummy:
            loss = self._loss(name, batch, filler, number)
            self._reached_the_backward_pass(waits=number in (1, count))
            self._differentiate(name, mean.add(loss))
        return _detached(loss)

    def _loss(
        self, name: str, batch: Batch | None, filler: Callable[[], Batch], number: int
    ) -> Loss:
        if batch is None:
            return _nothing_of(self.architecture.loss(self.nets, filler(), name))
        if self.carry is None:
            return self.architecture.loss(self.nets, batch, name)
        before = self.carry.before(number)
        loss, after = self.architecture.carried_loss(self.nets, batch, name, before)
        self.carry.after(after)
        return loss

    def _reached_the_backward_pass(self, *, waits: bool) -> None:
        """In some of them the ranks wait for each other: who is not there holds them up."""
        mark = self.world.mark
        mark.reach(mark.at + (_A_LITTLE if waits else 0))

    def _differentiate(self, name: str, total: Tensor) -> None:
        if not total.requires_grad:
            raise UserError(
                f"the loss of player '{name}' does not depend on any of its parameters",
                hint=f"It has {len(self.players[name].parameters)} that require a gradient. "
                "Networks that are not to learn take no turn: leave them out of `players`.",
                exit_code=EXIT_FAILED,
            )
        (self.scaler.scale(total) if self.scaler else total).backward()

    def _move(self, optimizer: torch.optim.Optimizer) -> None:
        if self.scaler:
            self.scaler.step(optimizer)
            self.scaler.update()
        else:
            optimizer.step()
        optimizer.zero_grad()

    def _share_gradients(self, name: str, player: Player) -> None:
        """See that all ranks have the gradients of all, and of the parameters that are known."""
        alone = self.world.size == 1
        if not alone and not self.sharded and player.network is self.bare[name]:
            assert self._averaging is not None
            self._averaging.average(player.parameters)
        elif not alone or name not in self.unused:
            missing = gradients.without(player.named)
            if missing != self.unused.setdefault(name, missing):
                raise gradients.changed(self.step, name, missing, self.unused[name])

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
            "carry": self.carry.state() if self.carry else None,
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
        if self.carry:
            self.carry.load(state["carry"])

    def load_networks(self, state: Mapping[str, Any]) -> None:
        """Take the weights alone from where `state` was taken."""
        for nets, kept in ((self.bare, "networks"), (self.averages, "averages")):
            for name, weights in state[kept].items():
                nets[name].load_state_dict(weights)


def _detached(loss: Loss) -> Loss:
    logs = {name: value.detach() for name, value in loss.logs.items()}
    return Loss(loss.total.detach(), loss.count, logs)


def _nothing_of(loss: Loss) -> Loss:
    return Loss(loss.total * 0, 0, {name: value * 0 for name, value in loss.logs.items()})
