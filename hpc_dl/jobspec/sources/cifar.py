"""Options of CIFAR-10 and CIFAR-100."""

from __future__ import annotations

from typing import ClassVar, Literal

from hpc_dl.jobspec.data import StagedData
from hpc_dl.jobspec.image_options import ImageSet


class CIFAR(StagedData, ImageSet):
    """Options of both."""

    drawn: ClassVar[tuple[str, ...]] = ("validation",)

    name: str


class CIFAR10(CIFAR):
    """CIFAR-10: 50 000 + 10 000 pictures of animals and vehicles, 32x32 RGB, 10 classes."""

    name: Literal["cifar10"]


class CIFAR100(CIFAR):
    """CIFAR-100: 50 000 + 10 000 pictures of animals, plants and things, 32x32 RGB, 100 classes."""

    name: Literal["cifar100"]
