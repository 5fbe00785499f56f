"""Options that have an effect for some data alone, or beside some values of other options."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpc_dl.jobspec.base import Spec

if TYPE_CHECKING:
    from hpc_dl.jobspec.facts import DataFacts


@dataclass(frozen=True)
class OnlyWith:
    """Metadata of an option: it has an effect where `key` is one of `values`. The key is `modality`
    or `task`, of the data, or another option of the same section."""

    key: str
    values: tuple[str, ...]


def find_unused(options: Spec, facts: DataFacts) -> Iterator[tuple[str, str]]:
    """Yield the options that differ from their default, but have no effect, and why."""
    for name, field in type(options).model_fields.items():
        if getattr(options, name) == field.get_default(call_default_factory=True):
            continue
        for needs in field.metadata:
            if not isinstance(needs, OnlyWith):
                continue
            of_data = needs.key in ("modality", "task")
            value = getattr(facts if of_data else options, needs.key)
            if value not in needs.values:
                what = f"the {needs.key} of the data" if of_data else needs.key
                able = " or ".join(needs.values)
                yield name, f"has no effect where {what} is {value}; it is for {able}"
