"""Prediction of many examples: read and converted ahead by threads, predicted batch by batch."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import torch

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.predictor import Predictor, columns
from hpc_dl.predictor.arrays import Array
from hpc_dl.predictor.columns import Columns
from hpc_dl.predictor.examples.part import Examples, Part
from hpc_dl.zoo.contract import Batch

Write = Callable[[Columns, Mapping[str, Array]], None]
_NUMBERED = re.compile(r"^(text|prompt|sentence|piece|recording) 1\b")


@dataclass
class Counts:
    """How many examples were predicted, and what was wrong or assumed."""

    predicted: int = 0
    broken: int = 0
    left_out: list[str] = field(default_factory=list)
    """Predictions that are arrays, which no table holds."""


@dataclass(frozen=True)
class Report:
    """What is called while examples are predicted."""

    done: Callable[[int], None]
    """With how many examples were read, of each part."""
    broken: Callable[[str], None]
    """With each example that cannot be read: where it is, and why."""
    note: Callable[[str], None]
    """With what was assumed."""


@dataclass(frozen=True)
class _Converted:
    """Examples as a network takes them; None where there are none, or they are not needed."""

    part: Part
    batch: Batch | None
    broken: list[str]


def predict(
    predictor: Predictor,
    examples: Examples,
    write: Write,
    report: Report,
    *,
    probabilities: bool = False,
    skip_broken: bool = False,
    threads: int = 1,
) -> Counts:
    """Predict all examples in their order, and have each part written.

    All that are broken are reported. Unless they are skipped, the first one ends the prediction:
    the others are only read, and UserError is raised at the end.
    """
    counts = Counts()
    for found in _converted(predictor, examples, threads):
        for place in found.broken:
            report.broken(place)
        for note in found.part.notes:
            report.note(note)
        counts.broken += len(found.broken)
        if found.batch is not None and (skip_broken or not counts.broken):
            predicted = _predicted(predictor, found.batch)
            _write(predictor, found.part, predicted, write, probabilities=probabilities)
            counts.left_out = columns.left_out(predicted)
            counts.predicted += len(found.part)
        report.done(len(found.part) + len(found.broken))
    _refuse(counts, skip_broken=skip_broken)
    return counts


def _refuse(counts: Counts, *, skip_broken: bool) -> None:
    """Raise UserError for examples that are broken and not to be skipped, or without any other."""
    if counts.broken and not skip_broken:
        is_one = counts.broken == 1
        raise UserError(
            f"{counts.broken} example{'' if is_one else 's'} cannot be read, so nothing is written",
            hint=f"--skip-broken leaves {'it' if is_one else 'them'} out.",
        )
    if not counts.predicted:
        raise UserError("there is no example to predict")


def _write(
    predictor: Predictor,
    part: Part,
    predicted: Mapping[str, Array],
    write: Write,
    *,
    probabilities: bool,
) -> None:
    facts = predictor.architecture.facts
    table = columns.of(predicted, facts, part.names, probabilities=probabilities)
    write(table, columns.texts_of(predicted) or predicted)


def _predicted(predictor: Predictor, batch: Batch) -> dict[str, Array]:
    try:
        return predictor.predict_batch(batch)
    except torch.OutOfMemoryError:
        raise UserError(
            f"a batch does not fit into the memory of {predictor.device}",
            hint="--batch-size predicts fewer examples at once.",
            exit_code=EXIT_FAILED,
        ) from None


def _converted(predictor: Predictor, examples: Examples, threads: int) -> Iterator[_Converted]:
    """Yield the parts in their order, a few of them converted ahead."""
    ahead: deque[Future[_Converted]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for part in examples.parts:
            ahead.append(pool.submit(_convert, predictor, part))
            if len(ahead) > threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _convert(predictor: Predictor, part: Part) -> _Converted:
    """Convert the examples of a part but for those that are broken."""
    broken = list(part.broken)
    if not len(part):
        return _Converted(part, None, broken)
    try:
        return _Converted(part, predictor.batch(part.given), broken)
    except UserError:
        if part.whole:
            raise
    sound = [*_sound(predictor, part, [*range(len(part))], broken)]
    kept = part.pick(sound)
    return _Converted(kept, predictor.batch(kept.given) if sound else None, broken)


def _sound(predictor: Predictor, part: Part, which: list[int], broken: list[str]) -> Iterator[int]:
    """Yield the numbers of the examples that can be converted, found by halving; append the others
    to `broken`, each with the reason."""
    try:
        predictor.batch(part.pick(which).given)
    except UserError as error:
        if len(which) == 1:
            broken.append(_described(part.places[which[0]], error))
            return
        middle = len(which) // 2
        yield from _sound(predictor, part, which[:middle], broken)
        yield from _sound(predictor, part, which[middle:], broken)
    else:
        yield from which


def _described(place: str, error: UserError) -> str:
    """Return what is wrong with an example, after its place."""
    message = _NUMBERED.sub(lambda found: f"the {found[1]}", error.message)
    return message if place in message else f"{place}: {message}"


def device() -> torch.device:
    """Return the accelerator of this machine, or its CPU."""
    found: Any = torch.accelerator.current_accelerator(check_available=True)
    return found or torch.device("cpu")
