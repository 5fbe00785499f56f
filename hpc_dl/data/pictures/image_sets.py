"""Sets of images that go by a name: a subset of the classes, and binarised pixels. Light."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from hpc_dl.data.source import Loaded, Source
from hpc_dl.data.splits.counts import Holdout, split_facts
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.image_options import GreyImages, ImageSet

if TYPE_CHECKING:
    from hpc_dl.data.dataset import Tensors

Options = TypeVar("Options", bound=ImageSet)


class ImageSetSource(Source[Options]):
    """Images with a class each, of which the numbers and names are known beforehand."""

    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    examples: Mapping[str, int]
    """Sizes of the splits that it has."""

    @abstractmethod
    def read(self) -> Mapping[str, Tensors]:
        """Read the `image` and the `label` of every example, by split."""

    @abstractmethod
    def labels(self) -> Mapping[str, Sequence[int]]:
        """Read the number of the class of every example, by split, without an image."""

    def describe(self) -> DataFacts:
        holdout, chosen = Holdout.of(self.options), self._chosen()
        splits = split_facts(self.labels(), self.classes, holdout, include=chosen)
        return DataFacts.of(
            "image", "classify", self.shape, self.classes, include_classes=chosen, **splits
        )

    def load(self) -> Loaded:
        from hpc_dl.data.dataset import Split
        from hpc_dl.data.transforms.binarize import binarize

        facts, given = self.describe(), self.read()
        if isinstance(self.options, GreyImages) and self.options.binarize:
            given = binarize(given)
        return facts, {name: Split(tensors) for name, tensors in given.items()}

    def _chosen(self) -> tuple[str, ...]:
        """Return the names of the classes to train on; empty for all."""
        names = tuple(dict.fromkeys(map(str, self.options.include_classes or ())))
        if unknown := set(names) - set(self.classes):
            raise UserError(
                f"data.include_classes: {self.options.name} has no class "
                f"{', '.join(sorted(unknown))}",
                hint=f"It has: {', '.join(self.classes)}.",
            )
        return names
