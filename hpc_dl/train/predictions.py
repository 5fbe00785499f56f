"""Predictions of every test example, and how good they are class by class or target by target.

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
from hpc_dl.tasks.tables import Array, Tables
from hpc_dl.train.evaluate import evaluating
from hpc_dl.train.gradient_sync import is_sharded
from hpc_dl.train.reproducibility import EVALUATION, seed_generators
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Architecture, Batch


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
    """Yield the predictions of a split, part by part, in the order of the examples' numbers.

    Nothing where the network does not predict what the data's task asks. All ranks iterate
    together, and have the same parts.
    """
    tables = tables_of(architecture)
    if not len(split) or tables is None:
        return
    seed_generators(world.device, *seed, EVALUATION, world.rank)
    order = split.index.argsort().to(split.device)
    rounds = [part.split(batch_size) for part in order.split(batch_size * world.size)]
    mine = [parts[world.rank] for parts in rounds if world.rank < len(parts)]
    one = torch.zeros(1, dtype=torch.int64, device=split.device)
    dummies = (split.batch(one) for _ in itertools.count())
    batches = itertools.chain(split.batches(mine), dummies)
    with evaluating(nets), torch.no_grad():
        for parts in rounds:
            takes_part = world.rank < len(parts)
            every = world.gather_objects(_try_part(architecture, tables, nets, batches, takes_part))
            world.progress.touch()
            if errors := [it for it in every if isinstance(it, str)]:
                raise UserError(errors[0], exit_code=EXIT_FAILED)
            if any(part is None for part in every):
                return
            yield _joined(every)


def _try_part(
    architecture: Architecture,
    tables: Tables,
    nets: Mapping[str, nn.Module],
    batches: Iterator[Batch],
    takes_part: bool,
) -> Part | str | None:
    """Return the predictions of the next batch, or the error's message for the other ranks.

    FSDP computes nothing alone, so that no message could be sent: with it the error is raised.
    """
    try:
        return _part(architecture, tables, nets, next(batches), takes_part)
    except Exception as error:
        if any(map(is_sharded, nets.values())):
            raise
        return f"{type(error).__name__}: {error}"


def tables_of(architecture: Architecture) -> Tables | None:
    """Return the tables of the task; None where it has none or the network does not learn it.

    Of a user's network only the predictions show it.
    """
    learns = architecture.options.is_supervised
    return architecture.task.tables if architecture.task and learns else None


def _part(
    architecture: Architecture,
    tables: Tables,
    nets: Mapping[str, nn.Module],
    batch: Batch,
    takes_part: bool,
) -> Part | None:
    """Return the predictions of a batch, or none of them; None if they do not fit the truth."""
    predicted = architecture.predict(nets, architecture.inputs(batch)).get(tables.prediction)
    if predicted is None:
        return None
    rows = predicted[batch["at"]] if "at" in batch else predicted
    truth = batch[tables.truth]
    if rows.shape != (len(batch["index"]), architecture.facts.outputs):
        return None
    if truth.is_floating_point():
        rows = rows.to(truth.dtype)  # float64 where float32 would lose the target's digits
    count = len(rows) if takes_part else 0
    return Part(*(_array(it[:count]) for it in (batch["index"], truth, rows)))


def _array(tensor: Tensor) -> Array:
    short = tensor.dtype in (torch.float16, torch.bfloat16)  # numpy has no bfloat16
    array: Array = (tensor.float() if short else tensor).cpu().numpy()
    return array


def _joined(parts: Sequence[Part]) -> Part:
    columns = ("index", "truth", "predicted")
    return Part(*(np.concatenate([getattr(it, name) for it in parts]) for name in columns))


def write(parts: Iterator[Part], tables: Tables | None, names: Names, folder: Path) -> list[Path]:
    """Write `predictions.csv`, and the metrics by class or target; return the files.

    None without predictions. An OSError is raised only after the last part, for the other ranks
    compute the parts with this one.
    """
    first = next(parts, None)
    if first is None or tables is None:
        return []
    truths, decisions = [], []
    table = _Table(folder / "predictions.csv")
    table.rows([[names.kind, *tables.header()]])
    for part in itertools.chain([first], parts):
        decided = tables.decide(part.predicted)
        rows = tables.rows(part.truth, decided, part.predicted)
        numbers = part.index.tolist()
        table.rows([[names.of(it), *row] for it, row in zip(numbers, rows, strict=True)])
        truths.append(part.truth)
        decisions.append(decided)
    table.close()
    summary = _Table(folder / tables.summary_file)
    summary.rows(tables.summary(np.concatenate(truths), np.concatenate(decisions)))
    summary.close()
    return [table.path, summary.path]


class _Table:
    """A CSV file whose errors are raised in `close`, so that the ranks stay together."""

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
