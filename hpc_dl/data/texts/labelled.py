"""Texts with a class each: their splits, and what the plan says of them. Light."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hpc_dl.data.splits import holdout
from hpc_dl.data.splits.counts import Holdout, split_facts
from hpc_dl.data.splits.holdout import Array
from hpc_dl.errors import UserError

if TYPE_CHECKING:
    from hpc_dl.data.names import Names


@dataclass(frozen=True)
class LabelledTexts:
    """Texts by the splits that a source has, each with the number of its class."""

    texts: Mapping[str, Sequence[str]]
    """Those in files may be read each time that they are asked for."""
    labels: Mapping[str, Sequence[int]]
    classes: tuple[str, ...]
    names: Names
    """What the texts are called, in the order of the splits."""
    groups: Array | None = None
    """Of the training texts, (N,) int64: those of a group stay together."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Divided:
    """Texts and what is held out of them."""

    given: LabelledTexts
    holdout: Holdout

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What `DataFacts` say of the splits. Raises UserError where nothing is left to train
        on."""
        it = self.given
        return split_facts(it.labels, it.classes, self.holdout, it.groups)

    @cached_property
    def positions(self) -> dict[str, tuple[str, Array]]:
        """By split, which texts it has: the split in which the source has them, and their positions
        there, (N,) int64."""
        it = self.given
        found: dict[str, tuple[str, Array]] = {
            name: (name, np.arange(len(texts))) for name, texts in it.texts.items()
        }
        if drawn := self.facts["drawn"]:
            labels = np.asarray(it.labels["train"])
            count = len(it.texts["train"])
            parts = holdout.positions(count, drawn, self.holdout, it.groups, labels)
            found |= {name: ("train", np.sort(at)) for name, at in parts.items()}
        return found

    def texts(self, split: str) -> Iterator[str]:
        """Yield the texts of a split, in the order of the source."""
        of, positions = self.positions[split]
        return map(self.given.texts[of].__getitem__, positions.tolist())


def number_classes(
    names: Mapping[str, Sequence[str]], where: Mapping[str, str]
) -> tuple[dict[str, list[int]], tuple[str, ...]]:
    """Return the number of the class of each example by split, and the classes, sorted.

    `where` says where each split is from. Raises UserError for one class alone, for classes that no
    training example has, and for so many that they are hardly classes.
    """
    train, place = names["train"], where["train"]
    classes = tuple(sorted(set(train)))
    if len(classes) == 1:
        raise UserError(f"{place}: every label is '{classes[0]}': there is nothing to learn")
    if len(classes) > max(len(train) / 2, 2):
        raise UserError(
            f"{place}: {len(classes)} labels of {len(train)} examples, such as '{classes[0]}' and "
            f"'{classes[1]}', are hardly classes"
        )
    numbers = {name: number for number, name in enumerate(classes)}
    for split, found in names.items():
        if unknown := sorted(set(found) - set(numbers)):
            raise UserError(
                f"{where[split]}: class '{unknown[0]}' has no example in {place}: it is not learnt"
            )
    return {split: [numbers[name] for name in found] for split, found in names.items()}, classes
