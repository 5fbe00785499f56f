"""What the trained network predicts of every test example, and how good that is class by class.

Tables for people and other programs: CSV files under `artifacts/test/`. The examples are in the
order of their numbers, each once, however many ranks there are; no more than a batch of every rank
is held at once, beside the true and predicted class or numbers themselves.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hpc_dl.data.dataset import Split
from hpc_dl.data.names import Names
from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.model import OwnModel
from hpc_dl.train.evaluate import evaluating
from hpc_dl.train.randomness import EVALUATION, seed_generators
from hpc_dl.train.sharded_tensors import is_divided
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Architecture, Batch

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
_CLASSES = ("label", "probabilities")
WANTED = {"classify": _CLASSES, "classify_nodes": _CLASSES, "regress": ("target", "target")}
"""By task, what the data say of an example, and what has to be among the predictions."""


@dataclass(frozen=True)
class Part:
    """Some examples: their numbers (n,), the truth, and the predictions (n, outputs)."""

    index: Array
    truth: Array
    predicted: Array


def predict(
    architecture: Architecture,
    nets: Mapping[str, nn.Module],
    split: Split,
    world: World,
    *,
    batch_size: int,
    seed: tuple[int, ...],
) -> Iterator[Part]:
    """The predictions of a split, part by part, in the order of the examples' numbers.

    Nothing where the network does not predict what the data say. All ranks have to go through this
    together, and have the same parts.
    """
    if not len(split) or not _may_predict(architecture):
        return
    seed_generators(world.device, *seed, EVALUATION, world.rank)
    order = split.index.argsort().to(split.device)
    rounds = [part.split(batch_size) for part in order.split(batch_size * world.size)]
    mine = [parts[world.rank] for parts in rounds if world.rank < len(parts)]
    one = torch.zeros(1, dtype=torch.int64, device=split.device)
    fillers = (split.batch(one) for _ in itertools.count())
    batches = itertools.chain(split.batches(mine), fillers)
    with evaluating(nets), torch.no_grad():
        for parts in rounds:
            takes_part = world.rank < len(parts)
            every = world.gather_objects(_tried(architecture, nets, batches, takes_part))
            world.mark.reach(world.mark.at)
            if errors := [it for it in every if isinstance(it, str)]:
                raise UserError(errors[0], exit_code=EXIT_FAILED)
            if any(part is None for part in every):
                return
            yield _joined(every)


def _tried(
    architecture: Architecture,
    nets: Mapping[str, nn.Module],
    batches: Iterator[Batch],
    takes_part: bool,
) -> Part | str | None:
    """The predictions of the next batch, or in words the error, which the others have to know.

    Networks that are divided compute nothing alone: the others would never come to know it.
    """
    try:
        return _part(architecture, nets, next(batches), takes_part)
    except Exception as error:
        if any(map(is_divided, nets.values())):
            raise
        return f"{type(error).__name__}: {error}"


def _may_predict(architecture: Architecture) -> bool:
    """Whether what the data say can be predicted; of a user's own network its predictions tell."""
    options = architecture.options
    generates = "none" in options.tasks and not isinstance(options, OwnModel)
    return architecture.facts.task in WANTED and not generates


def _part(
    architecture: Architecture, nets: Mapping[str, nn.Module], batch: Batch, takes_part: bool
) -> Part | None:
    """The predictions of a batch, or of none of it; None where they are of something else."""
    said, wanted = WANTED[architecture.facts.task]
    found = architecture.predict(nets, architecture.inputs(batch)).get(wanted)
    if found is None:
        return None
    rows = found[batch["at"]] if "at" in batch else found
    if rows.shape != (len(batch["index"]), architecture.facts.outputs):
        return None
    if batch[said].is_floating_point():
        rows = rows.to(batch[said].dtype)  # float64 where float32 would lose the target's digits
    count = len(rows) if takes_part else 0
    return Part(*(_array(it[:count]) for it in (batch["index"], batch[said], rows)))


def _array(tensor: Tensor) -> Array:
    short = tensor.dtype in (torch.float16, torch.bfloat16)  # of which numpy has not all
    array: Array = (tensor.float() if short else tensor).cpu().numpy()
    return array


def _joined(parts: Sequence[Part]) -> Part:
    columns = ("index", "truth", "predicted")
    return Part(*(np.concatenate([getattr(it, name) for it in parts]) for name in columns))


def write(parts: Iterator[Part], facts: DataFacts, names: Names, folder: Path) -> list[Path]:
    """Write `predictions.csv`, and how good they are by class or by target; the files.

    Nothing where there are no predictions. Raises OSError once all parts have been taken, for the
    other ranks wait for this one.
    """
    first = next(parts, None)
    if first is None:
        return []
    truths, guesses = [], []
    table = _Table(folder / "predictions.csv")
    table.rows([_header(facts, names)])
    for part in itertools.chain([first], parts):
        guess = part.predicted if facts.task == "regress" else part.predicted.argmax(axis=1)
        table.rows(_rows(part, guess, facts, names))
        truths.append(part.truth)
        guesses.append(guess)
    table.close()
    by = _by_target if facts.task == "regress" else _by_class
    name = "per_target.csv" if facts.task == "regress" else "per_class.csv"
    quality = _Table(folder / name)
    quality.rows(by(np.concatenate(truths), np.concatenate(guesses), facts))
    quality.close()
    return [table.path, quality.path]


class _Table:
    """A CSV file. What the disk refuses is raised in `close`, so that the ranks stay together."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error: OSError | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.file = path.open("w", newline="", encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            self.error = error

    def rows(self, rows: Sequence[Sequence[Any]]) -> None:
        if self.error is None:
            try:
                csv.writer(self.file).writerows(rows)
            except OSError as error:
                self.error = error

    def close(self) -> None:
        if self.error is None:
            try:
                self.file.close()
            except OSError as error:
                self.error = error
        if self.error is not None:
            with suppress(OSError):
                self.path.unlink()
            raise self.error


def _header(facts: DataFacts, names: Names) -> list[str]:
    if facts.task == "regress":
        pairs = [(f"true {name}", f"predicted {name}") for name in facts.target_names]
        return [names.kind, *(column for pair in pairs for column in pair)]
    return [names.kind, "true", "predicted", *(f"probability {name}" for name in facts.classes)]


def _rows(part: Part, guess: Array, facts: DataFacts, names: Names) -> list[list[Any]]:
    """The rows of some examples, classes by name."""
    rows: list[list[Any]] = []
    for number, truth, one, found in zip(
        part.index.tolist(), part.truth, guess, part.predicted, strict=True
    ):
        if facts.task == "regress":
            pairs = zip(truth, found, strict=True)
            cells = [_digits(value) for pair in pairs for value in pair]
        else:
            cells = [facts.classes[truth], facts.classes[one], *(f"{it:.6g}" for it in found)]
        rows.append([names.of(number), *cells])
    return rows


def _digits(value: np.floating[Any]) -> str:
    """A number with as many digits as its type holds: 0.1 in float32 is 0.1."""
    return f"{float(str(value)):.15g}"


def _by_class(truth: Array, guess: Array, facts: DataFacts) -> list[list[Any]]:
    """Precision, recall and F1 of each class, blank where it is undefined, and its examples."""
    classes = len(facts.classes)
    right = np.bincount(truth[truth == guess], minlength=classes)
    there, held = (np.bincount(it, minlength=classes) for it in (truth, guess))
    rows: list[list[Any]] = [["class", "precision", "recall", "f1", "support", "predicted"]]
    for name, hits, support, count in zip(facts.classes, right, there, held, strict=True):
        shares = (_share(hits, count), _share(hits, support), _share(2 * hits, count + support))
        rows.append([name, *shares, int(support), int(count)])
    return rows


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.6g}" if whole else ""


def _by_target(truth: Array, guess: Array, facts: DataFacts) -> list[list[Any]]:
    """The errors of each target in its own unit, of which the metrics are means over the targets;
    R² is blank where the target does not vary."""
    rows: list[list[Any]] = [["target", "mae", "rmse", "r2", "support"]]
    errors = guess.astype(np.float64) - truth
    for number, name in enumerate(facts.target_names):
        error, values = errors[:, number], truth[:, number].astype(np.float64)
        spread = np.square(values - values.mean()).sum()
        r2 = f"{1 - np.square(error).sum() / spread:.6g}" if spread else ""
        mae, rmse = np.abs(error).mean(), np.sqrt(np.square(error).mean())
        rows.append([name, f"{mae:.6g}", f"{rmse:.6g}", r2, len(values)])
    return rows
