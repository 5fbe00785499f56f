"""Faults of a spec's values: pydantic's errors as sentences, each at its place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from hpc_dl.jobspec import fields, renames, suggestions
from hpc_dl.jobspec.base import Misplaced
from hpc_dl.jobspec.suggestions import closest, closest_key
from hpc_dl.jobspec.yaml_text import COMMAND_LINE, Document, Mark, Path, Problem

EXAMPLES = {
    "name": "name: my-run",
    "model": "model: {name: ffnn}",
    "data": "data: {name: digits}",
    "train": "train: {epochs: 10}",
}
"""What to write for a section that is missing."""

_TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_parsing": "a number",
    "bool_parsing": "true or false",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "a word",
    "list_type": "a list, like [64, 32]",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}
_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}
_LENGTHS = {"too_short": ("at least", "min_length"), "too_long": ("at most", "max_length")}


@dataclass(frozen=True)
class Fault:
    """Something wrong with a value of a spec, or with its key."""

    path: Path
    message: str
    hint: str = ""
    of_key: bool = False
    wants_quotes: bool = False
    """True where a word is wanted, and what was written is read as something else."""

    def located(self, document: Document) -> Problem:
        """Return the problem at the place where the value or the key was written."""
        mark = document.keys.get(self.path) if self.of_key else None
        mark = mark or place(document, self.path)
        hint = _in_quotes(mark) if self.wants_quotes else self.hint
        return Problem(mark, self.message, hint)


def find_faults(error: ValidationError, values: Any, root: type[BaseModel]) -> list[Fault]:
    """Return all that pydantic found in the values of a `root`, one fault a place, in their order.

    Sentences are in the words of who writes YAML; an option that is not known has a suggestion.
    """
    found: dict[Path, Fault] = {}
    for item in error.errors(include_url=False):
        names_a_child = item["type"] in ("missing", "extra_forbidden")
        path = _without_tags((*item["loc"], *_inside(item)), values, names_a_child)
        if path not in found:
            found[path] = _fault(item, path, values, root)
        elif item["type"] == "literal_error" and not found[path].hint:  # of another type, or a word
            found[path] = replace(found[path], hint=f"Or: {', '.join(_expected(item))}")
    return list(found.values())


def renamed(path: Path, known: Collection[str]) -> str:
    """Return the sentence about an option under its former name, if it is one of `known` today."""
    now = renames.KEYS.get(path)
    old, section = ".".join(map(str, path)), ".".join(map(str, path[:-1]))
    return f"{old} is called {section}.{now} now" if now in known else ""


def place(document: Document, path: Path) -> Mark:
    """Return where a value was written, or else the nearest thing around it."""
    while path not in document.places and path:
        path = path[:-1]
    return document.places.get(path) or Mark("", 1, 1, "")


def _inside(item: Any) -> Path:
    """Return the path from a part that was validated as a whole to what is at fault in it."""
    error = item.get("ctx", {}).get("error")
    return error.path if isinstance(error, Misplaced) else ()


def _without_tags(location: tuple[str | int, ...], values: Any, names_a_child: bool) -> Path:
    """Return pydantic's location without the names of union members that it puts in between."""
    path: list[str | int] = []
    for number, key in enumerate(location):
        inside = (isinstance(values, Mapping) and key in values) or (
            isinstance(values, list) and isinstance(key, int) and key < len(values)
        )
        if inside:
            values = values[key]
            path.append(key)
        elif names_a_child and number == len(location) - 1:
            path.append(key)
    return tuple(path)


def _fault(item: Any, path: Path, values: Any, root: type[BaseModel]) -> Fault:
    kind, dotted = item["type"], ".".join(map(str, path)) or "the spec"
    if kind in _OF_NAMES:
        return _OF_NAMES[kind](path, values, root)
    if kind == "literal_error" and (now := renames.VALUES.get((*path, str(item["input"])))):
        return Fault(path, f"{dotted}: {item['input']} is called {now} now")
    if kind == "literal_error":
        allowed = [str(choice) for choice in _expected(item)]
        guess = closest(str(item["input"]), allowed)
        return Fault(path, f"{dotted} cannot be {_shown(item['input'])}{guess}", _allowed(allowed))
    if kind == "string_pattern_mismatch" and path != ("name",):
        return _no_such_pattern(item["input"], path, values, root)
    wants_quotes = kind == "string_type" and isinstance(item["input"], int | float)
    return Fault(path, _sentence(item, dotted), _hint(item), wants_quotes=wants_quotes)


def _sentence(item: Any, dotted: str) -> str:
    kind, context, shown = item["type"], item.get("ctx", {}), _shown(item["input"])
    if kind in _TYPES:
        sentence = f" has to be {_TYPES[kind]}, not {shown}"
    elif kind in _BOUNDS:
        word, key = _BOUNDS[kind]
        sentence = f" has to be {word} {context[key]:g}, not {shown}"
    elif kind in _LENGTHS:
        word, key = _LENGTHS[kind]
        sentence = f" has to have {word} {context[key]} values, not {len(item['input'])}"
    elif kind in ("string_too_short", "string_pattern_mismatch"):
        sentence = f" cannot be {shown}"
    else:
        sentence = f": {context.get('error', item['msg'])}"
    return dotted + sentence


def _in_quotes(mark: Mark) -> str:
    begin, end = mark.column - 1, mark.column - 1 + mark.width
    before, quoted, after = mark.text[:begin], f'"{mark.text[begin:end]}"', mark.text[end:]
    if mark.source == COMMAND_LINE:  # where a shell takes the outer quotes
        return f"To mean it as a word, quote it twice: '{before}{quoted}{after}'"
    return f"To mean it as a word, put it in quotes: {quoted}"


def _hint(item: Any) -> str:
    if item["type"] == "string_pattern_mismatch":
        return "Letters, digits, '-', '_' and '.', at most 64 of them, the first a letter or digit."
    return ""


def _unknown_key(path: Path, values: Any, root: type[BaseModel]) -> Fault:
    part = fields.part_at(root, values, path[:-1])
    return unknown_key(path, list(part.model_fields) if part else [])


def unknown_key(path: Path, known: list[str]) -> Fault:
    """Return the fault of a key that is none of those `known`."""
    if message := renamed(path, known):
        return Fault(path, message, of_key=True)
    where = f" in {'.'.join(map(str, path[:-1]))}" if len(path) > 1 else ""
    guess = closest_key(str(path[-1]), known)
    return Fault(path, f"unknown key '{path[-1]}'{where}{guess}", _allowed(known), of_key=True)


def _missing(path: Path, values: Any, root: type[BaseModel]) -> Fault:
    key, parent = str(path[-1]), path[:-1]
    part = fields.part_at(root, values, parent)
    described = part.model_fields[key].description if part and key in part.model_fields else None
    example = EXAMPLES.get(key) if not parent else None
    hint = f"Add for example: {example}" if example else f"{key}: {described}" if described else ""
    return Fault(parent, f"{'.'.join(map(str, path))} is missing", hint, of_key=True)


def _no_such_name(path: Path, values: Any, root: type[BaseModel]) -> Fault:
    names, members = fields.choices_at(root, values, path), fields.members_at(root, values, path)
    section = ".".join(map(str, path))
    for key in path:
        values = values[key]
    every = _allowed([*names, *dict.fromkeys(f"{it.partition(':')[0]}:NAME" for it in members)])
    if not isinstance(values, Mapping):
        hint = f"Write {section}: {{name: {values}}}" if values in names else every
        message = f"{section} has to be a mapping of keys to values, not {_shown(values)}"
        return Fault(path, message, hint)
    if "name" not in values:
        return Fault(path, f"{section}.name is missing", every, of_key=True)
    name, at = values["name"], (*path, "name")
    if not isinstance(name, str):
        message = f"{section}.name has to be a word, not {_shown(name)}"
        return Fault(at, message, every)
    if hint := suggestions.of_file(section, name):
        return Fault(at, f"there is no {section} '{name}'", hint)
    guess = suggestions.closest_name(section, name, names, members)
    return Fault(at, f"there is no {section} '{name}'{guess}", every + _USERS.get(section, ""))


_USERS = {
    "model": ", or your own, like my_code.py:MyNet",
    "data": ", or your own, like my_code.py:my_dataset",
    "data.augment": "One of your own: my_code.py:my_augmentation",
    "train.loss": ", or your own, like my_code.py:my_loss",
    "train.optimizer": ", or your own, like my_code.py:MyOptimizer",
    "train.schedule": ", or your own, like my_code.py:my_schedule",
}


def _no_such_pattern(word: str, path: Path, values: Any, root: type[BaseModel]) -> Fault:
    """Return the fault of a value that has not the form of, say, `torchvision:CIFAR10`."""
    part, key, section = fields.part_at(root, values, path[:-1]), str(path[-1]), path[:-1]
    form = part.model_fields[key].description if part and key in part.model_fields else None
    where, members = ".".join(map(str, section)), fields.members_at(root, values, section)
    guess = suggestions.closest_name(where, word, [], members)
    hint = suggestions.of_file(where, word) or (f"Write it like {form}" if form else "")
    return Fault(path, f"{'.'.join(map(str, path))} cannot be '{word}'{guess}", hint)


_OF_NAMES: dict[str, Callable[[Path, Any, type[BaseModel]], Fault]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    "union_tag_invalid": _no_such_name,
    "union_tag_not_found": _no_such_name,
}
"""Errors of pydantic that are about keys and names, not about values."""


def _expected(item: Any) -> list[str]:
    return [word.strip().strip("'") for word in
            item["ctx"]["expected"].replace(" or ", ", ").split(", ")]  # fmt: skip


def _allowed(names: list[str]) -> str:
    return f"Allowed: {', '.join(names)}" if names else ""


_SHOW: list[tuple[type, Callable[[Any], str]]] = [
    (bool, lambda value: str(value).lower()),
    (type(None), lambda _: "empty"),
    (str, lambda value: f"'{value}'"),
    (dict, lambda _: "a mapping"),
    (list, lambda _: "a list"),
]


def _shown(value: Any) -> str:
    """Return a value as a user would have written it."""
    return next((show(value) for kind, show in _SHOW if isinstance(value, kind)), str(value))
