"""Changes of the data between submission and start, as a user reads them."""

from __future__ import annotations

from dataclasses import fields

from hpc_dl.errors import first_few
from hpc_dl.jobspec.data import DataFacts

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
