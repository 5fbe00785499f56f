"""Carried states: what a recurrent network knows at the end of a step is where the next one begins
(truncated back-propagation through time: Williams and Peng, Neural Computation 2 (1990))."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hpc_dl.data.sampler import rank_slice
from hpc_dl.tasks.state import State, join, map_tensors, pick
from hpc_dl.train.world import World


class Carry:
    """The states of this rank's rows, micro-batch by micro-batch; row r goes on in the next batch.

    A step's states count once the step is taken. Whatever else computes a loss passes none.
    """

    def __init__(self, world: World, batch_size: int, micro_batch: int) -> None:
        self.world, self.batch_size, self.micro_batch = world, batch_size, micro_batch
        self._states: Sequence[State] = ()
        self._next: list[State] = []

    def before(self, number: int) -> State:
        """Return the state with which micro-batch `number`, from 1, begins; None for a new one."""
        return self._states[number - 1] if self._states else None

    def after(self, state: State) -> None:
        """Take the state at the end of the next micro-batch, without its gradient."""
        self._next.append(map_tensors(torch.Tensor.detach, state))

    def commit(self) -> None:
        """Go on from the states that were taken."""
        self._states, self._next = self._next, []

    def discard(self) -> None:
        """Forget the states that were taken, for the step was not."""
        self._next = []

    def reset(self) -> None:
        """Begin anew, as at the start of an epoch."""
        self._states = ()

    def state(self) -> State:
        """Return the states of all ranks' rows, on the CPU; all ranks call this together."""
        mine = map_tensors(torch.Tensor.cpu, join(self._states))
        return join([it for it in self.world.gather_objects(mine) if it is not None])

    def load(self, state: State) -> None:
        """Take this rank's rows, on any number of ranks."""
        self._states = ()
        if state is None:
            return
        mine = rank_slice(self.batch_size, self.world.rank, self.world.size)
        starts = range(mine.start, mine.stop, self.micro_batch)
        parts = [slice(it, min(it + self.micro_batch, mine.stop)) for it in starts]
        here = map_tensors(lambda tensor: tensor.to(self.world.device), state)
        self._states = [pick(here, part) for part in parts]
