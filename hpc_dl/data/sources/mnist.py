"""MNIST (LeCun et al., 1998) and Fashion-MNIST (Xiao et al., arXiv:1708.07747): four files each,
in torchvision's layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.data.faults import reading
from hpc_dl.data.pictures.image_sets import ImageSetSource
from hpc_dl.data.source import Staging
from hpc_dl.data.staging.staged import Sizes, StagedFiles
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.sources.mnist import MNIST, FashionMNIST

if TYPE_CHECKING:
    from hpc_dl.data.dataset import Tensors

FILES = {
    "train-images-idx3-ubyte": 16 + 60_000 * 28 * 28,
    "train-labels-idx1-ubyte": 8 + 60_000,
    "t10k-images-idx3-ubyte": 16 + 10_000 * 28 * 28,
    "t10k-labels-idx1-ubyte": 8 + 10_000,
}
"""Names and sizes in bytes, the same for both."""
IDX_HEADER = 8
"""Bytes of a file of labels before the first one."""
CLASSES = {
    "mnist": tuple("0123456789"),
    "fashion_mnist": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
}
_TORCHVISION = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}
"""The names of torchvision's classes, which are also those of its folders."""


class MNISTSource(StagedFiles, ImageSetSource[MNIST | FashionMNIST]):
    """The files of either, under `data.root` or the site's data folder."""

    shape = (1, 28, 28)
    examples = {"train": 60_000, "test": 10_000}

    @property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]
        return CLASSES[self.options.name]

    @property
    def folder(self) -> Path:
        """The folder of the four files."""
        return raw_folder(self.options.name, self.root)

    @property
    def sizes(self) -> Sizes:
        return FILES

    def describe(self) -> DataFacts:
        self.refuse_absent("; as .gz they will do too, if you then run the same command.")
        return super().describe()

    def read(self) -> dict[str, Tensors]:
        kind = torchvision_class(self.options.name)
        with reading("data.name", self.folder, f"copy of {self.options.name}"):
            datasets = {name: kind(self.root, train=name == "train") for name in self.examples}
        return {name: _tensors(it) for name, it in datasets.items()}

    def labels(self) -> dict[str, bytes]:
        files = {"train": "train-labels-idx1-ubyte", "test": "t10k-labels-idx1-ubyte"}
        found = {
            name: (self.folder / file).read_bytes()[IDX_HEADER:] for name, file in files.items()
        }
        for name, labels in found.items():
            if (most := max(labels)) >= len(self.classes):
                raise UserError(
                    f"data.name: {self.folder / files[name]} has class {most}, and there are "
                    f"{len(self.classes)}, from 0: it is damaged",
                    hint=f"Remove it, and fetch it again: hpcdl data fetch {self.options.name}",
                )
        return found

    def staging(self) -> Staging:
        return Staging(str(self.root), not self.find_fault(), sum(self.examples.values()))

    def fetch(self) -> None:
        from hpc_dl.data.staging.download import download_mnist

        download_mnist(self.options.name, self.root)


def raw_folder(name: str, root: Path) -> Path:
    """Return the folder of the four files under `root`."""
    return root / _TORCHVISION[name] / "raw"


def torchvision_class(name: str) -> Any:
    """Return torchvision's data set of that name."""
    from hpc_dl.torchvision_compat import torchvision

    return getattr(torchvision("datasets"), _TORCHVISION[name])


def _tensors(dataset: Any) -> Tensors:
    import torch

    return {"image": dataset.data[:, None], "label": torch.as_tensor(dataset.targets).long()}
