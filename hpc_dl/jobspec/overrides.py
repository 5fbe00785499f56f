"""Overrides on the command line, `key.path=value`: checked and located like values in the file."""

from __future__ import annotations

import copy
import functools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml
from pydantic import BaseModel

from hpc_dl.jobspec import fields
from hpc_dl.jobspec.faults import renamed
from hpc_dl.jobspec.suggestions import closest
from hpc_dl.jobspec.yaml_text import (
    COMMAND_LINE,
    MERGE,
    MERGE_HINT,
    Document,
    Mark,
    Path,
    Problem,
    has_comment,
    parse,
    scalar,
)

_QUOTES, _BRACKETS = "'\"", "[{"
_AS_IT_STANDS = """For a word as it stands, quote it twice: 'key="..."'."""
_OF_KEYS = (("sweep", "parameters"), ("sweep", "zip"))
_EXCLUDE_EACH_OTHER = ({("train", "epochs"), ("train", "steps")},)


def apply(
    document: Document, words: Sequence[str], root: type[BaseModel], *, is_resolved: bool = False
) -> None:
    """Put the overrides into the document, in their order; `null` takes a key out.

    Another `name` for a model, a source, an optimizer or a schedule drops the options that the
    file gave to the former one and the new one does not have. A user's code may have any of them;
    but a file that `is_resolved` holds every option, and then it gets none of them.
    """
    _put_all(document, _read_words(document, words), root, is_resolved=is_resolved)


def apply_values(document: Document, values: Mapping[str, Any], root: type[BaseModel]) -> None:
    """Put values into a resolved document as `apply` does, each at its dotted key; the place of the
    `n`-th is line `n`."""
    entries = []
    for number, (key, value) in enumerate(values.items(), start=1):
        mark = Mark(COMMAND_LINE, number, 1, key, len(key))
        entries.append((_path(key), Document(copy.deepcopy(value), {}, {(): mark}), mark))
    _put_all(document, entries, root, is_resolved=True)


def _read_words(document: Document, words: Sequence[str]) -> Iterator[tuple[Path, Document, Mark]]:
    """Yield the path of each override, its value, and its place; what is wrong is noted."""
    for number, word in enumerate(words, start=1):
        key, equals, text = word.partition("=")
        mark = Mark(COMMAND_LINE, number, 1, word, max(1, len(key)))
        if not equals or not key:
            document.problems.append(
                Problem(mark, f"'{word}' is no override", "Write key.path=value: train.epochs=3")
            )
            continue
        path = _path(key)
        if MERGE in path:
            document.problems.append(Problem(mark, f"there is no '{key}'", MERGE_HINT))
            continue
        yield path, _value(document, text, number, word, len(key) + 2), mark


def _put_all(
    document: Document,
    entries: Iterable[tuple[Path, Document, Mark]],
    root: type[BaseModel],
    *,
    is_resolved: bool,
) -> None:
    given: set[Path] = set()
    before: dict[Path, set[str]] = {}
    for path, value, mark in entries:
        if is_resolved and (part := fields.part_at(root, document.values, path[:-1])):
            before.setdefault(path[:-1], set(part.model_fields))
        if not value.problems and _put(document, path, value, mark, root):
            given.add(path)
    for group in _EXCLUDE_EACH_OTHER:
        if chosen := group & given:
            for path in group - chosen:
                _remove(document, path)
    for path in given:
        if path[-1] == "name" and len(path) > 1:
            _drop_foreign_options(document, path[:-1], given, root, before.get(path[:-1], set()))


def _path(key: str) -> Path:
    """Return the path of a key; those below `sweep.parameters` have dots themselves."""
    parts = tuple(key.split("."))
    return (*parts[:2], ".".join(parts[2:])) if parts[:2] in _OF_KEYS and parts[2:] else parts


def _value(document: Document, text: str, number: int, word: str, column: int) -> Document:
    """Return the value in an override, located within the argument."""
    inner = _read(text)

    def moved(mark: Mark) -> Mark:
        at = min(mark.column + column - 1, len(word) + 1)
        return Mark(COMMAND_LINE, number, at, word, max(1, min(mark.width, len(word) - at + 1)))

    inner.places = {path: moved(mark) for path, mark in inner.places.items()}
    inner.keys = {path: moved(mark) for path, mark in inner.keys.items()}
    inner.places.setdefault((), Mark(COMMAND_LINE, number, 1, word, len(word)))
    problems = [Problem(moved(it.mark), it.message, it.hint) for it in inner.problems]
    document.problems += problems
    return inner


def _read(text: str) -> Document:
    """Read the value of an argument: YAML where it begins with a quote or a bracket, else the
    text as it stands, or the number (`true`, `null`) that it is. The shell has taken what is no
    part of it, so that nothing is a comment."""
    mark = Mark(COMMAND_LINE, 1, 1, text, max(1, len(text)))
    if not text.strip():
        hint = "An empty word is '\"\"'; null takes the key out of the file."
        return Document(problems=[Problem(mark, "there is no value after the '='", hint)])
    if text.lstrip()[0] in _QUOTES + _BRACKETS:
        found = parse(text, COMMAND_LINE)
        if not found.problems and (fault := _fault(text, found.values)):
            found.problems.append(Problem(mark, fault))
        found.problems = [Problem(it.mark, it.message, _AS_IT_STANDS) for it in found.problems]
        return found
    if yaml.reader.Reader.NON_PRINTABLE.search(text):
        return Document(problems=[Problem(mark, "a character in it cannot be printed")])
    value = scalar(text.strip())
    return Document(text if isinstance(value, str) else value, {}, {(): mark})


def _fault(text: str, value: Any) -> str:
    """Return why YAML's reading of a value is not all that was typed, or nothing."""
    begins, kind = text.lstrip()[0], type(value)
    if kind is not (str if begins in _QUOTES else list if begins == "[" else dict):
        return "something follows the closing quote or bracket"
    return "a comment in it would be dropped" if has_comment(text) else ""


def _put(
    document: Document, path: Path, inner: Document, mark: Mark, root: type[BaseModel]
) -> bool:
    values = document.values
    for depth, key in enumerate(path[:-1], start=1):
        if not isinstance(values.get(key), dict):
            if path[:depth] not in _sections(root):
                _complain_of_path(document, path, mark, root)
                return False
            values[key] = _default_name(document, path[:depth], root)
            document.keys[path[:depth]] = document.places[path[:depth]] = mark
        values = values[key]
    _forget(document, path)
    if inner.values is None:
        values.pop(path[-1], None)
        return True
    part = fields.part_at(root, document.values, path[:-1])
    known = part is None or path[-1] in part.model_fields or part.model_config["extra"] == "allow"
    name = (*path[:-1], "name")
    renamed = path == name or name in document.keys
    if not known and not (renamed and ".".join(map(str, path)) in set(fields.all_paths(root))):
        _complain_of_path(document, path, mark, root)
        return False
    values[path[-1]] = inner.values
    document.keys[path] = mark
    document.places |= {(*path, *tail): place for tail, place in inner.places.items()}
    document.keys |= {(*path, *tail): place for tail, place in inner.keys.items()}
    return True


def _default_name(document: Document, path: Path, root: type[BaseModel]) -> dict[str, Any]:
    """Return the name of what a section is if nothing is written of it, such as the optimizer."""
    part = fields.part_at(root, document.values, path[:-1])
    default = part.model_fields[str(path[-1])].default if part else None
    name = getattr(default, "name", None) if isinstance(default, BaseModel) else None
    return {} if name is None else {"name": name}


@functools.cache
def _sections(root: type[BaseModel]) -> set[Path]:
    """Return the paths that may have something below them."""
    paths = {tuple(path.split(".")) for path in fields.all_paths(root)}
    return {path[:-1] for path in paths if len(path) > 1} | {("resources", "slurm"), *_OF_KEYS}


def _complain_of_path(document: Document, path: Path, mark: Mark, root: type[BaseModel]) -> None:
    dotted, known = ".".join(map(str, path)), sorted(set(fields.all_paths(root)))
    part = fields.part_at(root, document.values, path[:-1])
    if part and (message := renamed(path, part.model_fields)):
        document.problems.append(Problem(mark, message))
        return
    beside = [name for name in known if name.rpartition(".")[0] == dotted.rpartition(".")[0]]
    hint = f"Beside it: {', '.join(beside)}" if beside else ""
    document.problems.append(Problem(mark, f"there is no '{dotted}'{closest(dotted, known)}", hint))


def _remove(document: Document, path: Path) -> None:
    values: Any = document.values
    for key in path[:-1]:
        values = values.get(key, {}) if isinstance(values, dict) else {}
    if isinstance(values, dict):
        values.pop(path[-1], None)
    _forget(document, path)


def _forget(document: Document, path: Path) -> None:
    for table in (document.keys, document.places):
        for other in [other for other in table if other[: len(path)] == path]:
            del table[other]


def _drop_foreign_options(
    document: Document,
    section: Path,
    given: set[Path],
    root: type[BaseModel],
    before: Collection[str],
) -> None:
    """Drop the options of a section that its new `name` does not have; of those that it may have,
    the ones that were declared `before`."""
    part = fields.part_at(root, document.values, section)
    if part is None:
        return
    values: Any = document.values
    for key in section:
        values = values[key]
    is_open = part.model_config["extra"] == "allow"
    for key in [key for key in values if key not in part.model_fields]:
        if (*section, key) not in given and (key in before or not is_open):
            _remove(document, (*section, key))
