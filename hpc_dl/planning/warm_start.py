"""Warm start: what can be said of the initial weights before there is a network."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Iterator, Sequence

from hpc_dl.errors import first_few
from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.jobspec.faults import Fault
from hpc_dl.jobspec.init_from import InitFrom
from hpc_dl.planning.compatibility import SpecConflict

_NAMES = 12
UNKNOWN_DATA = (
    "of these weights it is not known on which data they were trained: classes, tokens and columns "
    "are taken to be the same, and so is how the inputs were prepared"
)


def check(
    asked: InitFrom, there: DataFacts | None, names: Collection[str] | None, here: DataFacts
) -> None:
    """Raise SpecConflict for weights that would be meaningless here, and for patterns of none.

    `there` are the facts of the data that they were trained on, `names` those of their tensors, as
    far as they are known; `here` are the facts of the data to train on.
    """
    if there and there.modality != here.modality:
        raise SpecConflict(
            "model.init_from",
            f"{asked.source} was trained on {there.modality} data, and these are {here.modality}",
        )
    for name, before, now in _other_rates(there, here):
        if name == "audio":
            raise SpecConflict(
                "model.init_from",
                f"{asked.source} was trained on audio of {before:g} samples a second, and these "
                f"have {now:g}: the same numbers would be other sounds",
                "Give both the same: data.rate.",
            )
    if names is not None:
        check_patterns(asked, names)


def check_patterns(asked: InitFrom, names: Collection[str]) -> None:
    """Raise SpecConflict for a pattern that matches none of the names, of those taken."""
    taken = select(names, asked.only) if asked.only else list(names)
    for key, patterns, among in (("only", asked.only, names), ("freeze", asked.freeze, taken)):
        for number, pattern in enumerate(patterns):
            if not select(among, [pattern]):
                what = "is taken" if key == "freeze" else "is there"
                fault = Fault(
                    ("model", "init_from", key, number),
                    f"model.init_from.{key}: nothing that {what} matches '{pattern}'",
                    f"{asked.source} has: {first_few(among, _NAMES)}",
                )
                raise SpecConflict.of([fault])


def select(names: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """Return the names that match one of the patterns."""
    return [name for name in names if any(fnmatch.fnmatchcase(name, it) for it in patterns)]


def notes(there: DataFacts | None, here: DataFacts) -> Iterator[str]:
    """Yield what the plan says of how the two data differ."""
    if there is None:
        yield UNKNOWN_DATA
        return
    for name, before, now in _other_rates(there, here):
        yield f"{name} of {now:g} frames a second; the weights to begin with are of {before:g}"
    for what in differences(there, here).values():
        yield f"{what}: the layers with weights for each of them are made anew, not taken"


def _other_rates(there: DataFacts | None, here: DataFacts) -> Iterator[tuple[str, float, float]]:
    """Yield the inputs whose steps are of another time, with the rates before and now."""
    for name, feature in here.inputs.items():
        before = there.inputs.get(name, feature).rate if there else feature.rate
        if before != feature.rate:
            yield name, before, feature.rate


def differences(there: DataFacts, here: DataFacts) -> dict[str, str]:
    """Return the tensors of an example whose numbers mean something else, and in which way."""
    found = {}
    for side, before, now in (
        ("inputs", there.inputs, here.inputs),
        ("targets", there.targets, here.targets),
    ):
        for name, feature in now.items():
            columns = side == "inputs" and there.columns != here.columns
            if name not in before:
                found[name] = f"other {side} than before ({name})"
            elif columns or _meaning(before[name]) != _meaning(feature):
                found[name] = f"other {_word(name, feature, columns=columns)} than before"
    return found


def _meaning(feature: Feature) -> tuple[object, ...]:
    return feature.dtype, feature.vocabulary, feature.tokens


def _word(name: str, feature: Feature, *, columns: bool) -> str:
    if name == "label":
        return "classes"
    if columns:
        return "columns"
    return f"tokens of {name}" if feature.dtype == "int" else f"numbers of {name}"
