"""A user's augmentation, which draws by torch, numpy or random as it likes.

    def cutout(image, size: int = 4):
        top, left = torch.randint(image.shape[-1] - size, (2,)).tolist()
        image = image.clone()
        image[..., top : top + size, left : left + size] = 0
        return image

It gets a batch of inputs on their device, (B, ...), and returns as many of the same shape and type.
All generators are seeded before each call, by seed, epoch, step and rank.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hpc_dl.data.dataset import Batch
from hpc_dl.data.sampler import mix_seed
from hpc_dl.data.user_functions.call import calling
from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import UserAugment
from hpc_dl.jobspec.facts import Modality
from hpc_dl.jobspec.signatures import Called
from hpc_dl.user_code import load_object


class UserAugmentation:
    """Calls a user's function for each batch."""

    def __init__(self, options: UserAugment, kind: Modality, code: Path) -> None:
        self.name, self.kind = options.name, kind
        given = called(options, code)
        self.function = partial(given.function, **given.keywords(options.options))

    def of(self, batches: Iterable[Batch], key: tuple[int, ...], epoch: int = 0) -> Iterator[Batch]:
        """The batches of one step, augmented in turn; random numbers follow from `key`."""
        for number, batch in enumerate(batches):
            _seed(mix_seed(*key, number))
            yield {**batch, self.kind: self._augment(batch[self.kind])}

    def _augment(self, example: Tensor) -> Tensor:
        with calling(self.name):
            found = self.function(example)
        if isinstance(found, Tensor) and _form(found) == _form(example):
            return found
        what = _shown(found) if isinstance(found, Tensor) else f"a {type(found).__name__}"
        raise UserError(
            f"{self.name} returns {what} for {_shown(example)}: shape and type have to stay"
        )


def called(options: UserAugment, code: Path) -> Called:
    """Return a user's function, which gets the inputs by place. Raises UserError for what is
    none."""
    found = load_object(options.name, code)
    if not callable(found) or isinstance(found, type):
        raise UserError(f"{options.name} is no function", hint="Write it as a function of inputs.")
    return Called(found, by_place=1)


def _form(tensor: Tensor) -> tuple[object, ...]:
    return tensor.shape, tensor.dtype, tensor.device


def _shown(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {tensor.dtype} on the {tensor.device.type}"


def _seed(value: int) -> None:
    torch.manual_seed(value)
    np.random.seed(value % 2**32)
    random.seed(value)
