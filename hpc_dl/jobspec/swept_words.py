"""Swept options on the command line: `train.optimizer.lr=[1e-3,1e-4]`, with `--sweep`.

A list for an option that takes none is a list of the values to try. One that takes a list has a
list of lists; of a user's own option nobody knows what it takes, and `{choice: [...]}` says so.
"""

from __future__ import annotations

import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hpc_dl.errors import UserError
from hpc_dl.jobspec import fields, spec_file
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.sweep import is_distribution
from hpc_dl.jobspec.yaml_text import COMMAND_LINE, Document, parse

_PREFIX = "sweep.parameters."


def as_parameters(file: Path, words: Sequence[str]) -> list[str]:
    """Return overrides in which those that have several values are of `sweep.parameters`.

    `file` is the job spec. Raises UserError where it is not clear whether a list is one value, and
    where nothing is swept because options take the lists that they are given.
    """
    several = [it for it in words if _is_several(it)]
    document = spec_file.read(file, [it for it in words if it not in several], JobSpec)
    found = [_as_parameter(it, document) if it in several else it for it in words]
    kept = [it for it in several if it in found]
    is_swept = "sweep" in document.values or any(it.startswith("sweep.") for it in found)
    if kept and not is_swept:
        key, _, text = kept[0].partition("=")
        each = ",".join(f"[{it}]" for it in _value(text)) or "[1],[2]"
        raise UserError(
            f"nothing is swept: {key} takes a list, so that {text} is one value of it",
            hint=f"To try several lists: '{key}=[{each}]'",
        )
    return found


def _is_several(word: str) -> bool:
    """Return whether an override may have several values."""
    key, _, text = word.partition("=")
    value = _value(text)
    is_part = key.partition(".")[0] != "sweep"
    return is_part and (isinstance(value, list) or is_distribution(value))


def _value(text: str) -> Any:
    """Return a list or a mapping; None for other values, and for what is no YAML."""
    return parse(text, COMMAND_LINE).values if text.lstrip()[:1] in ("[", "{") else None


def _as_parameter(word: str, document: Document) -> str:
    key, _, text = word.partition("=")
    value = _value(text)
    if is_distribution(value):
        return _PREFIX + word
    path = tuple(key.split("."))
    part = fields.part_at(JobSpec, document.values, path[:-1])
    if part is not None and path[-1] not in part.model_fields and _is_open(part):
        if not _has_one_value(document, path):
            raise UserError(
                f"is {text} one value of {key}, or several?",
                hint=f"To try each of them: '{key}={{choice: {text}}}'\n"
                "As one value, it goes without --sweep, or into the spec.",
            )
        return _PREFIX + word
    takes = 0
    if part is not None and path[-1] in part.model_fields:
        takes = _depth_of_type(part.model_fields[path[-1]].annotation)
    return _PREFIX + word if _depth(value) > takes else word


def _is_open(part: type[BaseModel]) -> bool:
    return part.model_config.get("extra") == "allow"


def _has_one_value(document: Document, path: Sequence[str]) -> bool:
    """Return whether the spec has a single value there, and no list."""
    value = document.values
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value is not None and not isinstance(value, list)


def _depth(value: Any) -> int:
    """Return how many lists are within each other."""
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _depth_of_type(annotation: Any) -> int:
    """Return how many lists are within each other in a value of a type, at most."""
    inside = max(map(_depth_of_type, typing.get_args(annotation)), default=0)
    return inside + (typing.get_origin(annotation) in (list, tuple))
