"""The trials of a sweep: the configurations of its space, and the job spec of each.

A configuration that is drawn depends on the sweep's seed and on its own number alone, so that more
can follow later. Python promises the same sequence of `random.Random(seed).random()` for all
versions, and nothing else of a generator is used.
"""

from __future__ import annotations

import copy
import itertools
import json
import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, cast

from hpc_dl.jobspec import overrides, spec_file
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.sweep import (
    MOST_TRIALS,
    Choice,
    Distribution,
    IntUniform,
    LogUniform,
    Sweep,
    as_json,
)
from hpc_dl.jobspec.yaml_text import Document
from hpc_dl.sweep.trial import Trial

Values = dict[str, Any]
"""The values of a configuration, by their keys."""
DIGITS = 6
"""Significant digits of a drawn number, which can then be read, and typed again as it is."""
ZIP, CASES = "zip", "cases"
"""The names of what is chosen for several options at once."""
_TRIES = 100
"""A narrow distribution may have fewer numbers of so many digits than there are trials."""


class Chooser(Protocol):
    """Chooses the values of a configuration; a name, a key or one of these, stays the same."""

    def index(self, name: str, count: int) -> int:
        """Return a number from 0 on, below `count`."""

    def number(self, name: str, among: Distribution) -> float:
        """Return a number of a distribution; a whole one of `IntUniform`."""


class Draw:
    """Draws at random."""

    def __init__(self, seed: int, number: int) -> None:
        self._random = random.Random(f"{seed} {number}").random

    def index(self, name: str, count: int) -> int:
        return int(self._random() * count)

    def number(self, name: str, among: Distribution) -> float:
        if isinstance(among, IntUniform):
            low, high = among.int_uniform
            return low + self.index(name, high - low + 1)
        if isinstance(among, LogUniform):
            least, most = among.log_uniform
            drawn = least * math.exp(self._random() * math.log(most / least))
        else:
            least, most = among.uniform
            drawn = least + self._random() * (most - least)
        return rounded(drawn, least, most)


def rounded(drawn: float, least: float, most: float) -> float:
    """Return a number with few digits between two."""
    return min(max(float(f"{drawn:.{DIGITS}g}"), least), most)


def trials(sweep: Sweep, known: Sequence[Trial] = ()) -> list[Trial]:
    """Return the trials of a sweep that are not `known` yet, numbered after those.

    A grid is the product of all values in the order of their keys, the last one changing fastest.
    Values that are drawn are not drawn again while other ones are left. Those of TPE are drawn
    here for a check alone: its own come from the results.
    """
    seen = {as_json(it.values) for it in known}
    number = max((it.configuration for it in known), default=0)
    wanted = None if sweep.trials is None else max(0, sweep.trials - number)
    found: list[Trial] = []
    first = max((it.number for it in known), default=0) + 1
    for values in itertools.islice(_configurations(sweep, number + 1, seen), wanted):
        number += 1
        for seed in range(sweep.seeds) if sweep.seeds else (None,):
            found.append(Trial(first + len(found), values, seed, number))
    return found


def choose(sweep: Sweep, chooser: Chooser) -> Values:
    """Return a configuration of a space, as `chooser` chooses."""
    values = _choose_each(sweep.parameters, "", chooser)
    if sweep.zip:
        chosen = chooser.index(ZIP, len(next(iter(sweep.zip.values()))))
        values |= {key: them[chosen] for key, them in sweep.zip.items()}
    if sweep.cases:
        case = chooser.index(CASES, len(sweep.cases))
        values |= _choose_each(sweep.cases[case], f"{CASES}.{case}.", chooser)
    return values


def limits(sweep: Sweep) -> list[Trial]:
    """Return trials that have all choices of a space, and both ends of each distribution."""
    groups = sweep.cases or [{}]
    entries = [*sweep.parameters.values(), *(it for case in groups for it in case.values())]
    several = [_several(it) for it in entries if not isinstance(it, Distribution)]
    counts = [2, *map(len, [*sweep.zip.values(), *several])]
    each = [choose(sweep, _Each(it, len(groups))) for it in range(max(counts) * len(groups))]
    return [Trial(number, values, None, number) for number, values in enumerate(each, start=1)]


class _Each:
    """Chooses the cases in turn, and of each the first of all values, then the second, and so on;
    of numbers the lowest, then the highest."""

    def __init__(self, number: int, cases: int) -> None:
        self._turn, self._case = divmod(number, cases)

    def index(self, name: str, count: int) -> int:
        return self._case if name == CASES else self._turn % count

    def number(self, name: str, among: Distribution) -> float:
        (ends,) = among.model_dump().values()
        return cast("float", ends[self._turn % 2])


def values_of(trial: Trial) -> Values:
    """Return the values of a trial, with its seed where it has one of its own."""
    return trial.values if trial.seed is None else {**trial.values, "train.seed": trial.seed}


def words(trial: Trial) -> list[str]:
    """Return a trial's values as overrides, `key=JSON`, which are read as exactly these values."""
    return [f"{key}={_json(value)}" for key, value in values_of(trial).items()]


def number_of(values: Sequence[Any], value: Any) -> int:
    """Return the place of a value in a list. Raises ValueError."""
    return [as_json(it) for it in values].index(as_json(value))


def is_of(case: Mapping[str, Any], trial: Trial) -> bool:
    """Return whether the values of a trial are of this case."""
    return all(
        key in trial.values
        and (
            isinstance(it, Distribution) or as_json(trial.values[key]) in map(as_json, _several(it))
        )
        for key, it in case.items()
    )


def spec_of(spec: JobSpec, trial: Trial) -> JobSpec:
    """Return the job spec of a trial: that of the sweep, with the trial's values.

    A part that gets another name has its own defaults, as long as those of the former one are not
    written in `spec`. Raises SpecError, with places as `document_of` has them.
    """
    return spec_file.validate(document_of(given(spec), trial), JobSpec)


def given(spec: JobSpec) -> dict[str, Any]:
    """Return what was written of a spec, without its sweep."""
    return spec.model_dump(mode="json", exclude={"sweep"}, exclude_unset=True)


def document_of(values: Mapping[str, Any], trial: Trial) -> Document:
    """Return the values of a spec with those of a trial, the place of whose `n`-th is line `n`."""
    document = Document(copy.deepcopy(values))
    overrides.apply_values(document, values_of(trial), JobSpec)
    return document


def _configurations(sweep: Sweep, first: int, seen: set[str]) -> Iterator[Values]:
    """Yield the configurations that are not `seen` yet; drawn ones for the numbers from `first`."""
    is_small = sweep.size is not None and sweep.size <= MOST_TRIALS
    left = [it for it in _listed(sweep) if as_json(it) not in seen] if is_small else None
    if not sweep.is_drawn:
        yield from left or ()
        return
    for number in itertools.count(first) if left is None else range(first, first + len(left)):
        draw = Draw(sweep.seed, number)
        values, tries = choose(sweep, draw), 1
        while as_json(values) in seen and (is_small or tries < _TRIES):
            values, tries = choose(sweep, draw), tries + 1
        seen.add(as_json(values))
        yield values


def _listed(sweep: Sweep) -> Iterator[Values]:
    if sweep.configurations:
        yield from sweep.configurations
        return
    axes = [[*_each(it)] for it in ({key: it} for key, it in sweep.parameters.items())]
    if sweep.zip:
        rows = zip(*sweep.zip.values(), strict=True)
        axes.append([dict(zip(sweep.zip, them, strict=True)) for them in rows])
    if sweep.cases:
        axes.append([values for case in sweep.cases for values in _each(case)])
    for parts in itertools.product(*axes):
        yield {key: value for part in parts for key, value in part.items()}


def _each(group: Mapping[str, Any]) -> Iterator[Values]:
    """Yield the product of the values of some options."""
    for values in itertools.product(*map(_several, group.values())):
        yield dict(zip(group, values, strict=True))


def _several(entry: Any) -> Sequence[Any]:
    """Return the values of an entry; of numbers without end, the entry alone."""
    if isinstance(entry, Choice):
        return entry.choice
    if isinstance(entry, IntUniform):
        return range(entry.int_uniform[0], entry.int_uniform[1] + 1)
    return entry if isinstance(entry, list) else [entry]


def _choose_each(group: Mapping[str, Any], prefix: str, chooser: Chooser) -> Values:
    values: Values = {}
    for key, entry in group.items():
        if isinstance(entry, Distribution):
            values[key] = chooser.number(prefix + key, entry)
        else:
            several = _several(entry)
            single = len(several) == 1
            values[key] = several[0 if single else chooser.index(prefix + key, len(several))]
    return values


def _json(value: Any) -> str:
    """Return a value as JSON that YAML reads, too, which knows no surrogates and no raw DEL."""
    text = json.dumps(value).replace("\x7f", "\\u007f")
    return re.sub(
        r"\\u(d[89ab]..)\\u(d[c-f]..)",
        lambda pair: bytes.fromhex(pair[1] + pair[2]).decode("utf-16-be"),
        text,
    )
