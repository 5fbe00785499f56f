"""Tables of predictions, and of their metrics by class or by target.

Arrays are NumPy's; `predicted` is (N, outputs), `truth` and `decided` are (N,) classes or (N,
targets).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from hpc_dl.jobspec.facts import DataFacts

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]


class Tables(ABC):
    """The tables of a task."""

    truth: ClassVar[str]
    """The tensor of a batch that holds what is to be predicted."""
    prediction: ClassVar[str]
    """The tensor of `Task.predict` that is compared with it."""
    summary_file: ClassVar[str]

    def __init__(self, facts: DataFacts) -> None:
        self.facts = facts

    def decide(self, predicted: Array) -> Array:
        """Return predictions in the form of the truth."""
        return predicted

    @abstractmethod
    def header(self) -> list[str]:
        """Return the names of the columns of `rows`."""

    @abstractmethod
    def rows(self, truth: Array, decided: Array, predicted: Array) -> Iterator[list[str]]:
        """Yield the truth and the predictions, example by example."""

    @abstractmethod
    def summary(self, truth: Array, decided: Array) -> list[list[Any]]:
        """Return a header, and the metrics of each class or target."""

    @abstractmethod
    def columns(self, outputs: Mapping[str, Array]) -> Mapping[str, Array]:
        """Return predictions for new examples, column by column."""


class ClassTables(Tables):
    """Precision, recall and F1 of each class, blank where they are undefined."""

    truth, prediction, summary_file = "label", "probabilities", "per_class.csv"

    def decide(self, predicted: Array) -> Array:
        classes: Array = predicted.argmax(axis=1)
        return classes

    def header(self) -> list[str]:
        return ["true", "predicted", *(f"probability {name}" for name in self.facts.classes)]

    def rows(self, truth: Array, decided: Array, predicted: Array) -> Iterator[list[str]]:
        names = self.facts.classes
        for right, one, found in zip(truth, decided, predicted, strict=True):
            yield [names[right], names[one], *(f"{it:.6g}" for it in found)]

    def summary(self, truth: Array, decided: Array) -> list[list[Any]]:
        classes = len(self.facts.classes)
        right = np.bincount(truth[truth == decided], minlength=classes)
        there, held = (np.bincount(it, minlength=classes) for it in (truth, decided))
        rows: list[list[Any]] = [["class", "precision", "recall", "f1", "support", "predicted"]]
        for name, hits, support, count in zip(self.facts.classes, right, there, held, strict=True):
            shares = (_share(hits, count), _share(hits, support), _share(2 * hits, count + support))
            rows.append([name, *shares, int(support), int(count)])
        return rows

    def columns(self, outputs: Mapping[str, Array]) -> Mapping[str, Array]:
        columns = {"class": outputs["class"]} if "class" in outputs else {}
        if "probabilities" in outputs:
            names = (f"probability of {name}" for name in self.facts.classes)
            columns |= dict(zip(names, outputs["probabilities"].T, strict=True))
        return columns


class TargetTables(Tables):
    """Errors of each target in its own unit; R² is blank where the target does not vary."""

    truth, prediction, summary_file = "target", "target", "per_target.csv"

    def header(self) -> list[str]:
        pairs = [(f"true {name}", f"predicted {name}") for name in self.facts.target_names]
        return [column for pair in pairs for column in pair]

    def rows(self, truth: Array, decided: Array, predicted: Array) -> Iterator[list[str]]:
        for pairs in zip(truth, predicted, strict=True):
            yield [_digits(value) for pair in zip(*pairs, strict=True) for value in pair]

    def summary(self, truth: Array, decided: Array) -> list[list[Any]]:
        rows: list[list[Any]] = [["target", "mae", "rmse", "r2", "support"]]
        errors = decided.astype(np.float64) - truth
        for number, name in enumerate(self.facts.target_names):
            error, values = errors[:, number], truth[:, number].astype(np.float64)
            spread = np.square(values - values.mean()).sum()
            r2 = f"{1 - np.square(error).sum() / spread:.6g}" if spread else ""
            mae, rmse = np.abs(error).mean(), np.sqrt(np.square(error).mean())
            rows.append([name, f"{mae:.6g}", f"{rmse:.6g}", r2, len(values)])
        return rows

    def columns(self, outputs: Mapping[str, Array]) -> Mapping[str, Array]:
        if "target" not in outputs:
            return {}
        return dict(zip(self.facts.target_names, outputs["target"].T, strict=True))


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.6g}" if whole else ""


def _digits(value: np.floating[Any]) -> str:
    """Return a number with as many digits as its type holds: 0.1 in float32 is 0.1."""
    return f"{float(str(value)):.15g}"
