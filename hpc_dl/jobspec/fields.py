"""Fields that a spec may have at each place, read from the models' annotations."""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel

from hpc_dl.jobspec.base import tag_by_name
from hpc_dl.jobspec.choice import Choice
from hpc_dl.jobspec.yaml_text import Path


def part_at(root: type[BaseModel], values: Any, path: Path) -> type[BaseModel] | None:
    """Return the model of the mapping at `path`, which a `name` may choose; None if it has none."""
    part: type[BaseModel] | None = root
    for key in path:
        if part is None or not isinstance(key, str) or key not in part.model_fields:
            return None
        values = values.get(key) if isinstance(values, Mapping) else None
        part = _chosen(_annotation(part, key), values)
    return part


def _chosen(annotation: Any, values: Any) -> type[BaseModel] | None:
    """Return the one model in an annotation, or that of several which the values' `name` picks."""
    if choice := _choice(annotation):
        return choice.find(values)
    several = list(_models(annotation))
    if len(several) == 1:
        return several[0]
    tag = tag_by_name(values)
    named = [model for model in several if tag in (names_of(model) or (_tag(model),))]
    return named[0] if named else None


def _annotation(part: type[BaseModel], key: str) -> Any:
    """Return the annotation of a field, with its metadata, which pydantic keeps beside it."""
    field = part.model_fields[key]
    return Annotated[field.annotation, None, *field.metadata]


@functools.cache
def names_of(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the names by which a model is chosen; () for a user's."""
    field = model.model_fields.get("name")
    literal = field is not None and typing.get_origin(field.annotation) is Literal
    return typing.get_args(field.annotation) if field and literal else ()


def _tag(model: type[BaseModel]) -> str | None:
    """Return the tag of a model whose names are not listed: a library's, or a user's; None of one
    that has no name."""
    return getattr(model, "library", "") or ("own" if "name" in model.model_fields else None)


def choices_at(root: type[BaseModel], values: Any, path: Path) -> list[str]:
    """Return the names that can be chosen from at `path`."""
    return [name for model in _models_at(root, values, path) for name in names_of(model)]


def members_at(root: type[BaseModel], values: Any, path: Path) -> list[str]:
    """Return the names that can be chosen from at `path` of what libraries have, such as
    `torchvision:CIFAR10`."""
    having = [it for it in _models_at(root, values, path) if getattr(it, "library", "")]
    return [f"{model.library}:{member}" for model in having for member in model.members()]


def models(part: type[BaseModel], key: str) -> list[Any]:
    """Return the models of which the value of a field is one."""
    return list(dict.fromkeys(_models(_annotation(part, key))))


def _models_at(root: type[BaseModel], values: Any, path: Path) -> list[Any]:
    """Return the models of which a `name` chooses one at `path`."""
    parent = part_at(root, values, path[:-1])
    if parent is None or not path or path[-1] not in parent.model_fields:
        return []
    return models(parent, str(path[-1]))


def all_paths(root: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield every dotted path that a spec may hold."""
    for key in root.model_fields:
        yield prefix + key
        for model in models(root, key):
            yield from all_paths(model, f"{prefix}{key}.")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif choice := _choice(annotation):
        yield from choice.all()
    elif typing.get_origin(annotation) is not dict:
        for inner in typing.get_args(annotation):
            yield from _models(inner)


def _choice(annotation: Any) -> Choice | None:
    """Return the choice in an annotation: in its own metadata, or in that of what may be None."""
    for inner in (annotation, *typing.get_args(annotation)):
        for it in getattr(inner, "__metadata__", ()):
            if isinstance(it, Choice):
                return it
    return None
