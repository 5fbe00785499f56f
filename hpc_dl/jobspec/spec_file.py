"""Files of specs and sites: read, validated, written; all errors of a file at once, each with its
place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from hpc_dl.errors import UserError
from hpc_dl.jobspec import faults, overrides, yaml_text
from hpc_dl.jobspec.yaml_text import Document, Problem

Model = TypeVar("Model", bound=BaseModel)


class SpecError(UserError):
    """The faults of a spec, each at its place, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        problems = sorted(problems, key=lambda it: (it.mark.source, it.mark.line, it.mark.column))
        super().__init__("\n".join(map(str, problems)))
        self.problems = list(problems)


class _Dumper(yaml.SafeDumper):
    """Quotes text that would be read as something else: `1e-3` and `08`, of which YAML 1.1, that
    the library writes, knows nothing."""


def _represent_text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    plain = yaml_text.scalar(value) == value and value.isprintable()
    tag = "tag:yaml.org,2002:str"
    return dumper.represent_scalar(tag, value, style=None if plain else '"')


_Dumper.add_representer(str, _represent_text)


def read(
    path: str | Path, words: Sequence[str], root: type[BaseModel], *, is_resolved: bool = False
) -> Document:
    """Read the values of a file and of the overrides. Raises SpecError if there are none."""
    document = yaml_text.parse(_content(Path(path)), str(path))
    if not isinstance(document.values, dict):
        raise SpecError(document.problems or [_no_mapping(document, str(path))])
    overrides.apply(document, words, root, is_resolved=is_resolved)
    return document


def validate(document: Document, root: type[Model]) -> Model:
    """Return the values as a model. Raises SpecError with every fault."""
    found = list(document.problems)
    try:
        model = root.model_validate(document.values)
    except ValidationError as error:
        wrong = faults.find_faults(error, document.values, root)
        found += [fault.located(document) for fault in wrong]
    if found:
        raise SpecError(found)
    return model


def dump(spec: BaseModel, *, only_given: bool = False) -> str:
    """Return a spec as YAML that `load` reads back as the same spec; with all of its defaults, or
    `only_given` options, so that another `name` for a part brings its own defaults."""
    return dump_values(spec.model_dump(mode="json", exclude_unset=only_given))


def dump_values(values: Any) -> str:
    """Return values as YAML that `load` reads back as the same values."""
    return str(yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(yaml_text.MAX_BYTES + 1)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}", hint=_beside(path)) from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder, not a job spec", hint=_beside(path / "x")) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > yaml_text.MAX_BYTES:
        raise UserError(
            f"{path} is larger than {yaml_text.MAX_BYTES // 1_000_000} MB: that is no spec",
            hint="A spec names its data; it does not hold them.",
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{path}:{line}: not UTF-8 text", hint="Save it as UTF-8.") from None


def _beside(path: Path) -> str:
    folder = path.parent
    found = sorted(folder.glob("*.yaml"))[:10] if folder.is_dir() else []
    return f"There are: {', '.join(map(str, found))}" if found else ""


def _no_mapping(document: Document, source: str) -> Problem:
    mark = document.places.get((), yaml_text.Mark(source, 1, 1, ""))
    hint = "A spec is keys and values; the least is:\n" + "\n".join(faults.EXAMPLES.values())
    if document.values is None:
        return Problem(mark, "the file is empty", hint)
    what = "a list" if isinstance(document.values, list) else "a single value"
    return Problem(mark, f"the file holds {what} at its top", hint)
