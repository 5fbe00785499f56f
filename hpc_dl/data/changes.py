"""How two data differ, as a user reads it: those of a run then and now, or others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.data import Data
from hpc_dl.jobspec.facts import DataFacts, Feature

_SHOWN = ("modality", "task", "shape", "classes", "target_names", "columns")
_COUNTED = ("train", "validation", "test", "groups")


def describe_changes(then: DataFacts, now: DataFacts) -> str:
    """Describe what differs between the facts of two data; with values where these are short."""
    found = [
        f"{name.replace('_', ' ')} {_shorten(getattr(now, name))} now, "
        f"{_shorten(getattr(then, name))} then"
        for name in (*_SHOWN, *_COUNTED)
        if getattr(now, name) != getattr(then, name)
    ]
    others = [it.name for it in fields(DataFacts) if it.compare and _differ(it.name, then, now)]
    return "; ".join(found) or f"they differ in {', '.join(others)}"


def _differ(name: str, then: DataFacts, now: DataFacts) -> bool:
    return bool(getattr(then, name) != getattr(now, name))


def _shorten(value: object) -> str:
    return f"({first_few(value)})" if isinstance(value, tuple) else str(value)


def refuse_misfit(trained: DataFacts, here: DataFacts) -> None:
    """Raise UserError, with what differs, for examples that a network was not `trained` for.

    Their number and their lengths may differ.
    """
    if found := list(_misfits(trained, here)):
        raise UserError(
            "these data do not fit the network: " + "; ".join(found),
            hint="A network is measured on data of the kind that it was trained on: "
            "`hpcdl submit` with model.init_from trains it on others.",
        )


def refuse_other_kind(trained: DataFacts, options: Data) -> None:
    """Raise UserError for a source whose data are never such as a network was `trained` for."""
    if trained.modality not in options.modalities or trained.task not in options.tasks:
        raise UserError(
            f"{options.name} has data of {' or '.join(options.modalities)}, to "
            f"{' or '.join(options.tasks)}; the network was trained on {trained.modality} data, to "
            f"{trained.task}"
        )


def _misfits(trained: DataFacts, here: DataFacts) -> Iterator[str]:
    for name in ("modality", "task"):
        if getattr(here, name) != getattr(trained, name):
            yield f"{name} {getattr(here, name)}, and it was trained on {getattr(trained, name)}"
            return
    if here.columns != trained.columns:
        yield f"columns {_shorten(here.columns)}, and it was trained on {_shorten(trained.columns)}"
    if here.undirected != trained.undirected:
        yield "graphs with edges in one direction, and others that have them in both"
    for side in ("inputs", "targets"):
        ours, theirs = getattr(here, side), getattr(trained, side)
        if ours.keys() != theirs.keys():
            yield f"{side} {_shorten(tuple(ours))}, and it was trained on {_shorten(tuple(theirs))}"
            continue
        for name, feature in ours.items():
            yield from _other_feature(name, theirs[name], feature)


def _other_feature(name: str, trained: Feature, here: Feature) -> Iterator[str]:
    word = (
        "classes" if name == "label" else f"tokens of {name}" if here.tokens else f"names of {name}"
    )
    for key, shown in (
        ("shape", f"shape of {name}"),
        ("vocabulary", word),
        ("rate", f"rate of {name}"),
    ):
        if (now := getattr(here, key)) != (then := getattr(trained, key)):
            yield f"{shown} {_shorten(now)}, and it was trained on {_shorten(then)}"
            return
    if here.gaps and not trained.gaps:
        yield f"{name} with gaps, and it was trained on {name} without any"
    same = replace(here, longest=trained.longest, gaps=trained.gaps)
    if same != trained:
        yield f"other {name} than it was trained on"
