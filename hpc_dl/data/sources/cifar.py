"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009), in the files of their Python version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.data.pictures.image_sets import ImageSetSource
from hpc_dl.data.source import Staging
from hpc_dl.data.staging.staged import Sizes, StagedFiles
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.sources.cifar import CIFAR10, CIFAR100

if TYPE_CHECKING:
    from hpc_dl.data.dataset import Tensors

_OF_CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck"
_OF_CIFAR100 = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup
dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid
otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray
road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""
PIXELS = 3 * 32 * 32
EXAMPLES = {"train": 50_000, "test": 10_000}


@dataclass(frozen=True)
class Files:
    """One of both sets."""

    folder: str
    archive: str
    torchvision: str
    """The name of torchvision's class, which knows the address and the checksum of the archive."""
    parts: Mapping[str, tuple[str, ...]]
    """The files of each split, with as many pictures each."""
    labels: str
    """The key of the numbers of the classes."""
    classes: tuple[str, ...]

    @property
    def sizes(self) -> dict[str, int]:
        """The least bytes of each file: those of its pixels."""
        return {
            name: EXAMPLES[split] // len(names) * PIXELS
            for split, names in self.parts.items()
            for name in names
        }


SETS = {
    "cifar10": Files(
        "cifar-10-batches-py",
        "cifar-10-python.tar.gz",
        "CIFAR10",
        {"train": tuple(f"data_batch_{n}" for n in range(1, 6)), "test": ("test_batch",)},
        "labels",
        tuple(_OF_CIFAR10.split()),
    ),
    "cifar100": Files(
        "cifar-100-python",
        "cifar-100-python.tar.gz",
        "CIFAR100",
        {"train": ("train",), "test": ("test",)},
        "fine_labels",
        tuple(_OF_CIFAR100.split()),
    ),
}


class CIFARSource(StagedFiles, ImageSetSource[CIFAR10 | CIFAR100]):
    """The files of either, under `data.root` or the site's data folder."""

    shape = (3, 32, 32)
    examples = EXAMPLES

    @property
    def set(self) -> Files:
        return SETS[self.options.name]

    @property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.set.classes

    @property
    def folder(self) -> Path:
        """The folder of the files."""
        return self.root / self.set.folder

    @property
    def sizes(self) -> Sizes:
        return dict.fromkeys(self.set.sizes)  # of pickles the least is known alone

    def describe(self) -> DataFacts:
        self.refuse_absent(
            f"; or {self.set.archive} into {self.root}, and run the same command, which unpacks it."
        )
        facts = super().describe()
        is_known = self.options.stratify  # else it depends on the order
        return facts if is_known else replace(facts, class_counts={})

    def read(self) -> dict[str, Tensors]:
        from hpc_dl.data.pictures import cifar_files

        key, classes = self.set.labels, len(self.classes)
        return {
            split: cifar_files.read(
                [self.folder / name for name in names], key, classes, EXAMPLES[split]
            )
            for split, names in self.set.parts.items()
        }

    def labels(self) -> dict[str, list[int]]:
        """Return the classes in another order: there are as many pictures of each."""
        classes = range(len(self.classes))
        return {split: [*classes] * (size // len(classes)) for split, size in EXAMPLES.items()}

    def staging(self) -> Staging:
        return Staging(str(self.root), not self.find_fault(), sum(self.examples.values()))

    def fetch(self) -> None:
        from hpc_dl.data.staging.download import download_cifar

        download_cifar(self.options.name, self.root)

    def find_fault(self) -> str:
        """Describe missing or truncated files; empty if there are none."""
        return super().find_fault() or "; ".join(
            f"{self.folder / name} has {there} bytes, and its pixels alone {least}"
            for name, least in self.set.sizes.items()
            if (there := (self.folder / name).stat().st_size) < least
        )


def torchvision_class(name: str) -> Any:
    """Return torchvision's data set of that name."""
    from hpc_dl.torchvision_compat import torchvision

    return getattr(torchvision("datasets"), SETS[name].torchvision)
