"""Read files of a run folder as typed values; a wrong type is a DamagedFile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from hpc_dl.errors import UserError
from hpc_dl.run.layout import DamagedFile, RunDir, open_file, parse_json, read_bytes

if TYPE_CHECKING:
    from hpc_dl.jobspec.job import JobSpec

T = TypeVar("T")
_FAST: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, 13 times as fast, where PyYAML was built with it."""
_SHORT = 8192
"""The most bytes of a spec for libyaml: brackets nested 20 000 deep would end the process."""


def find(path: Path, kind: type[T]) -> T | None:
    """Return the value of type `kind` in a JSON file, or None without a file.

    Unknown fields are ignored: a newer hpcdl may have written them.
    Raises DamagedFile.
    """
    try:
        content = read_bytes(path)
    except FileNotFoundError:
        return None
    try:
        found: T = _adapter(kind).validate_python(parse_json(path, content))
    except ValidationError as error:
        raise DamagedFile(path, f"is damaged: {_first(error)}") from None
    return found


def load(path: Path, kind: type[T]) -> T:
    """Return the value in a file that must exist. Raises DamagedFile."""
    found = find(path, kind)
    if found is None:
        raise DamagedFile(path, "is missing")
    return found


def load_spec(run: RunDir) -> JobSpec:
    """Return the job spec of a run. Raises DamagedFile."""
    from hpc_dl.jobspec.load import load_resolved  # a fifth of a second

    try:
        open_file(run.spec).close()  # a pipe in its place would block
        return load_resolved(run.spec)
    except FileNotFoundError:
        raise DamagedFile(run.spec, "is missing") from None
    except DamagedFile:
        raise
    except UserError as error:
        fault = error.message.partition("\n")[0].removeprefix(f"{run.spec}:").strip()
        raise DamagedFile(run.spec, f"is damaged: {fault}") from None


def spec_values(run: RunDir) -> Any:
    """Return the job spec of a run as plain values, without checking them: a tenth of the time.

    Raises DamagedFile where it is no YAML.
    """
    try:
        content = read_bytes(run.spec)
        return yaml.load(content, _FAST if len(content) <= _SHORT else yaml.SafeLoader)
    except FileNotFoundError:
        raise DamagedFile(run.spec, "is missing") from None
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise DamagedFile(run.spec, f"is damaged: {why}") from None


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}
"""One for each type, since there may be thousands of runs."""


def _adapter(kind: Any) -> TypeAdapter[Any]:
    return _ADAPTERS.get(kind) or _ADAPTERS.setdefault(kind, TypeAdapter(kind))


def _first(error: ValidationError) -> str:
    """Describe the first fault, without the value, which may be anything."""
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}".removeprefix(": ")
