"""Snapshot of the user's code in a run: what is imported, what that reads, and `code`.

So an edit after the submission changes nothing about a run that waits in the queue.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from hpc_dl import installed
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.faults import Fault
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.user_code import MANIFEST, asking, failures

SECONDS = 300.0
"""How long the user's code may take to be imported, and the data's function to return."""
HINT_AFTER = 5.0
"""Seconds after which a terminal shows what takes so long."""


@dataclass(frozen=True)
class Snapshot:
    """A copy of a user's code, imported once, to be copied into a run folder."""

    folder: Path | None = None
    """None where nothing is the user's own."""
    files: tuple[str, ...] = ()
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What differs in the spec, by its parts: names in the copy, and options that got defaults."""
    code: tuple[str, ...] = ()
    """The spec's `code`, in the copy."""
    notes: tuple[str, ...] = ()
    facts: DataFacts | None = None
    """Of the user's own data."""
    _kept: object = None

    def renamed(self, spec: JobSpec) -> JobSpec:
        """Return the spec with the user's files under the names that their copies have, and with
        the defaults of the options that their network declares."""
        found = spec.with_changes(self.sections)
        return found.model_copy(update={"code": list(self.code)}) if self.code else found

    def completed(self, spec: JobSpec) -> JobSpec:
        """Return the spec with the defaults of the options that the user's network declares."""
        options = {key: it for key, it in self.sections.get("model", {}).items() if key != "name"}
        return spec.with_changes({"model": options})

    def copy_to(self, folder: Path) -> None:
        """Make `folder` a copy, of the files alone that were copied; without any, there is none."""
        shutil.rmtree(folder, ignore_errors=True)
        for name in self.files:
            assert self.folder is not None
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.folder / name, folder / name)


def take(spec: JobSpec, base: Path, data_root: Path, facts: DataFacts | None) -> Snapshot:
    """Copy the code that `spec` names, relative to `base`, and import the copy, in a process of
    its own.

    `facts` are those of data that are not the user's own. Raises SpecConflict for a name that is
    not there, UserError, naming file and line, for code that cannot be imported.
    """
    foreign, code = (
        spec.foreign_parts(),
        [_existing(base, name, number) for number, name in enumerate(spec.code)],
    )
    if not foreign and not code:
        return Snapshot()
    kept = tempfile.TemporaryDirectory(prefix="hpcdl-code-", ignore_cleanup_errors=True)
    target = Path(kept.name).resolve() / "code"
    target.mkdir()
    request = {
        "spec": spec.model_dump(mode="json", exclude={"tracking"}),
        "code": [str(path) for path in code],
        "base": str(installed.absolute(base)),
        "data_root": str(data_root),
        "facts": None if facts is None else TypeAdapter(DataFacts).dump_python(facts, mode="json"),
        "target": str(target),
        "seconds": SECONDS,
    }
    found = _ask(request, [part.name for part in foreign.values()])
    files = tuple(found["files"]) + ((MANIFEST,) if found["files"] else ())
    known = (
        None if found["facts"] is None else TypeAdapter(DataFacts).validate_python(found["facts"])
    )
    return Snapshot(
        target,
        files,
        found["sections"],
        tuple(found["code"]),
        tuple(found["notes"]),
        known,
        kept,
    )


def digests(code: Path) -> dict[str, str]:
    """Return the files of a run's code and their SHA-256, without those written there since."""
    try:
        files: dict[str, str] = json.loads((code / MANIFEST).read_text())["files"]
    except FileNotFoundError:
        paths = sorted(code.rglob("*.py"))
        return {
            str(path.relative_to(code)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in paths
        }
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(f"{code / MANIFEST} is damaged: {error}") from None
    return files


def _existing(base: Path, name: str, number: int) -> Path:
    path = Path(os.path.normpath(base.absolute() / Path(name).expanduser()))
    if not path.exists():
        raise SpecConflict(f"code.{number}", f"there is no {path}")
    return path


def _ask(request: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Have the code copied and tried. Raises UserError where it cannot be imported."""
    report = _check(request, names)
    if "message" not in report:
        return report
    if "faults" in report:
        raise SpecConflict.of(TypeAdapter(list[Fault]).validate_python(report["faults"]))
    raise UserError(report["message"], hint=report["hint"])


def _check(request: dict[str, Any], names: list[str]) -> dict[str, Any]:
    what, seconds = ", ".join(names), 3 * SECONDS
    slow = (HINT_AFTER, lambda: _say_what_is_slow(what))
    answer = asking.ask("hpc_dl.submission.code_check", [], json.dumps(request), seconds, slow)
    if answer.code is None:
        raise UserError(f"{what} could not be imported in {seconds:.0f} s")
    try:
        report: dict[str, Any] = json.loads(answer.out.splitlines()[-1])
    except (IndexError, ValueError):
        raise UserError(
            f"{what} could not be imported: its process ended ({failures.ending(answer.code)})",
            hint="\n".join(answer.err.strip().splitlines()[-5:]),
        ) from None
    return report


def _say_what_is_slow(names: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"importing {names}, once where it lies and once as a copy\n")
