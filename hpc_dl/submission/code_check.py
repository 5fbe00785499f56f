"""Copy a user's code, and try the copy: `python -m hpc_dl.submission.code_check`.

A request comes in as JSON; the last line of its output is JSON too, a report or the `message`,
`hint` and `faults` of an error. Two forks of this process import the user's code: one where it
lies, to see which files that takes; one from their copies, as a rank will, where nothing else is.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from hpc_dl import installed, user_code
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.submission import discovery, fork_trial

if TYPE_CHECKING:
    from hpc_dl.train.code_trial import Trial

TWICE = 20.0
"""Seconds that a user's data may take so that they are asked a second time, from the copy."""


def main() -> None:
    request = json.loads(sys.stdin.read())
    with tempfile.TemporaryDirectory() as elsewhere:
        report = _report(request, elsewhere)
    sys.stdout.write("\n" + json.dumps(report) + "\n")


def _report(request: dict[str, Any], elsewhere: str) -> dict[str, Any]:
    importlib.import_module("hpc_dl.train.code_trial")  # once, for both forks
    names = _names(request)
    seconds, target = float(request["seconds"]), Path(request["target"])
    found = fork_trial.run(lambda: _discover(request), names, seconds, lambda path: path)
    if "message" in found:
        return found
    if not _places(request) and not request["code"]:  # torch's alone
        return {**found, "sections": {}, "files": {}, "code": []}
    try:
        copied = _copy(request, found, target)
    except UserError as error:
        return {"message": error.message, "hint": error.hint}
    anchor = Path(copied["anchor"])

    def original(path: Path) -> Path:
        resolved = target.resolve()
        return anchor / path.relative_to(resolved) if path.is_relative_to(resolved) else path

    tried = fork_trial.run(
        lambda: _try_copy(request, found, copied, elsewhere), names, seconds, original
    )
    if "message" in tried:
        message, inside = tried["message"], f"{target.resolve()}/"
        more = " (in a copy of the code)" if inside in message else ""
        return {**tried, "message": message.replace(inside, f"{anchor}/") + more}
    return {**copied, "facts": tried["facts"]}


def _discover(request: dict[str, Any]) -> dict[str, Any]:
    """Import the user's code where it lies, and collect the files that it needs."""
    base, places = Path(request["base"]), _places(request)
    user_code.import_originals(base)
    sys.path += [str(_importable(Path(path))) for path in request["code"]] + [str(Path.cwd())]
    before, reads = set(sys.modules), discovery.Reads()
    sys.addaudithook(reads)
    tried = _attempt(request, request["facts"], base, lambda: None)
    reads.active = False
    spaces = {key: user_code.namespace_of(base, place) for key, place in places.items()}
    imported = dict.fromkeys(note for space in spaces.values() for note in space.notes)
    found = discovery.collect(spaces.values(), before, reads, base)
    return {
        "facts": _plain(tried.facts),
        "seconds": tried.seconds,
        "options": tried.options,
        "files": sorted(map(str, found.files)),
        "used": [str(root) for root in found.roots],
        "paths": {key: space.path() for key, space in spaces.items()},
        "notes": [*imported, *tried.notes, *found.notes, *_slow(tried.seconds)],
    }


def _slow(seconds: float) -> list[str]:
    note = f"your data took {seconds:.0f} s; they were not asked again from the copy of their code"
    return [note] if seconds > TWICE else []


def _try_copy(
    request: dict[str, Any], found: dict[str, Any], copied: dict[str, Any], elsewhere: str
) -> dict[str, Any]:
    """Import the copy, where the originals cannot be found, as it is on a node after a change."""
    sys.path[:] = [entry for entry in sys.path if entry and not installed.is_users(Path(entry))]
    os.chdir(elsewhere)
    target, originals = Path(request["target"]), set(copied["originals"])
    before, importing = set(sys.modules), [True]

    def refuse_originals(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and importing and isinstance(arguments[0], str | os.PathLike):
            path = str(installed.absolute(os.fspath(arguments[0])))
            if path in originals:
                raise fork_trial.ReadsOriginal(f"it reads {path}, of which the job has a copy")

    sys.addaudithook(refuse_originals)
    again = request["facts"] is None and found["seconds"] <= TWICE
    given = None if again else found["facts"]
    tried = _attempt(request, given, target, importing.clear, copied["sections"])
    facts = _plain(tried.facts)
    if again and facts != found["facts"]:
        raise SpecConflict(
            "data.name",
            "from a copy of its code it returns other examples",
            "Does it look for files beside the code? Name them in the spec: `code: [FOLDER]`. "
            "Does it draw random numbers? Give them a seed: it has to return the same each time.",
        )
    for path, name in discovery.loaded_modules(before):
        if not path.resolve().is_relative_to(target.resolve()):
            raise UserError(
                f"{path}, the module {name}, is imported, but not from the copy of your code",
                hint="Name its folder in the spec: `code: [FOLDER]`.",
            )
    return {"facts": facts}


def _attempt(
    request: Mapping[str, Any],
    facts: Any,
    code: Path,
    imported: Callable[[], None],
    changes: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> Trial:
    trial = importlib.import_module("hpc_dl.train.code_trial")
    given = None if facts is None else TypeAdapter(DataFacts).validate_python(facts)
    tried: Trial = trial.attempt(
        _spec(request).with_changes(changes),
        given,
        code,
        Path(request["data_root"]),
        imported,
    )
    return tried


def _plain(facts: DataFacts | None) -> Any:
    return None if facts is None else json.loads(json.dumps(dataclasses.asdict(facts)))


def _spec(request: Mapping[str, Any]) -> JobSpec:
    return JobSpec.model_validate(request["spec"])


def _names(request: Mapping[str, Any]) -> str:
    """Return what the spec calls the code that is tried, for messages."""
    places = _places(request).values()
    named = places or (part.name for part in _spec(request).foreign_parts().values())
    return " and ".join(dict.fromkeys(named))


def _places(request: Mapping[str, Any]) -> dict[str, str]:
    """Return the user's modules that the spec names, by the part in which they stand."""
    named = _spec(request).user_parts()
    return {key: name.rpartition(":")[0] for key, name in named.items()}


def _importable(path: Path) -> Path:
    """Return the folder in which a module of the spec's `code` is searched for."""
    return user_code.package_root(path if path.is_dir() else path.parent)


def _copy(request: dict[str, Any], found: dict[str, Any], target: Path) -> dict[str, Any]:
    """Copy the files, as they lie to each other; return what the spec calls them there."""
    asked = [Path(path) for path in request["code"]]
    files = {Path(path) for path in found["files"]}
    for path in asked:
        files |= set(discovery.walk(path)) if path.is_dir() else {path}
    sections = {"model": dict(found["options"])} if found["options"] else {}
    named = _spec(request).user_parts()
    copied: dict[str, Any] = {"sections": sections, "notes": found["notes"], "code": []}
    if not files:
        return {**copied, "anchor": "/", "originals": [], "files": {}}
    _check_size(files)
    used = [Path(root) for root in found["used"]] + [_importable(path) for path in asked]
    anchor = Path(os.path.commonpath([*(path.parent for path in files), *used]))
    digests = _copy_files(files, anchor, target)
    base, roots = Path(request["base"]), dict[str, list[str]]()
    for key, place in _places(request).items():
        inside = place
        if place.endswith(".py"):
            name = named[key].rpartition(":")[2]
            inside = str(Path(os.path.normpath(base / place)).relative_to(anchor))
            sections.setdefault(key, {})["name"] = f"{inside}:{name}"
        within = [root for root in map(Path, found["paths"][key]) if root in used]
        within += [root for root in used if root not in within]
        roots[inside] = [str(root.relative_to(anchor)) for root in within]
    manifest = {"roots": roots, "files": digests}
    (target / user_code.MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    return {
        **copied,
        "anchor": str(anchor),
        "originals": sorted(map(str, files)),
        "files": digests,
        "code": [str(path.relative_to(anchor)) for path in asked],
    }


def _check_size(files: set[Path]) -> None:
    """Raise UserError for more code than a run should hold."""
    if (size := sum(path.stat().st_size for path in files)) > discovery.CODE_BYTES:
        largest = max(files, key=lambda path: path.stat().st_size)
        raise UserError(
            f"the code comes to {size / 2**30:.1f} GiB, of which each run gets a copy; the largest "
            f"file is {largest}",
            hint="Leave data out of `code:`, and give their place as an option of `data`.",
        )


def _copy_files(files: set[Path], anchor: Path, target: Path) -> dict[str, str]:
    """Copy files from below `anchor`, and return the SHA-256 of each by its place."""
    digests = {}
    for path in sorted(files):
        copy = target / path.relative_to(anchor)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
        digests[str(path.relative_to(anchor))] = hashlib.sha256(copy.read_bytes()).hexdigest()
    return digests


if __name__ == "__main__":
    main()
