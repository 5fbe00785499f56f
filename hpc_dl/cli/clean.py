"""`hpcdl clean`: remove what nobody needs any more, over all runs."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.cli.run_removal import SECONDS, find, remove, size
from hpc_dl.errors import UserError

if TYPE_CHECKING:
    from hpc_dl.run.layout import RunDir
    from hpc_dl.status import Status

HELP = """Remove what nobody needs any more: runs by their state, checkpoints of completed runs that
are neither the newest nor the best, and what killed processes and deletions left. What it would
free is listed, and nothing is removed without --yes. Runs that may still train are left, those that
such a run needs, and those with a registered model."""
STATES = ("failed", "timeout", "stopped", "cancelled", "planned", "paused", "completed")
_UNWANTED = STATES[:-2]
"""Of the overview: what has no result, and is not a sweep's to go on with."""
_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400}
_HOUR, _DAY = _SECONDS["h"], _SECONDS["d"]
_TEMPORARY = ("hpcdl-dry-run-*", "hpcdl-code-*", "hpcdl-weights-*")
"""Temporary folders of commands, which take minutes."""


def configure(parser: argparse.ArgumentParser) -> None:
    from hpc_dl.cli import common

    parser.add_argument(
        "--state",
        action="append",
        default=[],
        choices=STATES,
        help="whole runs of this state; several times for several states",
    )
    parser.add_argument(
        "--checkpoints",
        action="store_true",
        help="checkpoints of completed runs, but the newest and the best",
    )
    parser.add_argument(
        "--orphans",
        action="store_true",
        help="MLflow runs whose folder in the run root is gone, folders whose MLflow run was "
        "deleted, and temporary folders of killed processes on this machine",
    )
    parser.add_argument(
        "--older-than", metavar="AGE", type=_age, default=0.0, help="like 30d, 12h or 4w"
    )
    parser.add_argument("--yes", action="store_true", help="remove it")
    common.add_site_and_json(parser)
    parser.epilog = "Without any choice it lists all of these, but for paused and completed runs."


@dataclass(frozen=True)
class _Item:
    """Something that can be removed."""

    kind: str
    name: str
    why: str
    since: float
    """When it was last of use, in seconds since 1970."""
    bytes: int
    remove: Callable[[], None]

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name, "why": self.why, "bytes": self.bytes}


def run(args: argparse.Namespace) -> int:
    from hpc_dl.cli import common
    from hpc_dl.run import layout
    from hpc_dl.status import read_statuses

    is_chosen = args.state or args.checkpoints or args.orphans
    if args.yes and not is_chosen:
        raise UserError("--yes without a choice", hint="Add --state, --checkpoints or --orphans.")
    if not is_chosen:
        args.state, args.checkpoints, args.orphans = [*_UNWANTED], True, True
    root = common.run_root(args)
    known = layout.list_runs(root)
    statuses = list(zip(known, read_statuses(known), strict=True))
    kept = _needed(known, statuses)
    own = set(layout.own_runs(known))
    idle = [(it, status) for it, status in statuses if it in own and _is_idle(status)]
    notes = list[str]()
    found = _all_items(args, root, idle, kept, notes)
    items = [it for it in found if time.time() - it.since >= args.older_than]
    sys.stderr.write("".join(f"note: {note}\n" for note in notes))
    if not args.json:
        _show(items)
    for item in items if args.yes else ():
        item.remove()
    total = sum(it.bytes for it in items)
    if args.json:
        shown = [it.to_json() for it in items]
        common.print_json({"removed": args.yes, "bytes": total, "items": shown})
    elif items:
        choose = "" if is_chosen else "choose by --state, --checkpoints or --orphans, and "
        rest = "freed" if args.yes else f"would be freed: {choose}--yes removes it"
        sys.stdout.write(f"{size(total)} {rest}\n")
    return 0


def _age(text: str) -> float:
    found = re.fullmatch(r"(\d+)([hdw])", text)
    if not found:
        raise argparse.ArgumentTypeError(f"'{text}' is no age; write it like 30d, 12h or 4w")
    return int(found[1]) * _SECONDS[found[2]]


def _is_idle(status: Status) -> bool:
    """Return whether a run certainly does not train; one that is being submitted is planned."""
    is_new = status.state == "planned" and status.age < _HOUR
    return status.reachable and not status.active and not is_new


def _needed(
    known: Sequence[RunDir], statuses: Sequence[tuple[RunDir, Status]]
) -> dict[RunDir, str]:
    """Return the runs that unfinished ones need, each with one of these."""
    from hpc_dl.status import named_runs

    waiting = [it for it, status in statuses if not _is_idle(status)]
    return {needed: one.id for one in waiting for needed in named_runs(one, known)}


def _all_items(
    args: argparse.Namespace,
    root: Path,
    idle: Sequence[tuple[RunDir, Status]],
    kept: dict[RunDir, str],
    notes: list[str],
) -> Iterator[_Item]:
    """Yield what can be removed; a run that goes as a whole is there once."""
    deleted: set[Path] = set()
    if args.orphans:
        orphans = list(_orphans(args, root, deleted))
        yield from orphans
        yield from _leftovers(root)
    for one, status in idle:
        why = "its MLflow run was deleted" if one.path in deleted else ""
        why = why or (status.reason if status.state in args.state else "")
        whole = one.path in deleted or status.state in args.state
        if whole and one in kept:
            notes.append(f"{one.id} is left: {kept[one]} needs it")
        elif whole:
            yield from _whole(one, status, why, notes)
        elif args.checkpoints and status.state == "completed" and one not in kept:
            yield from _checkpoints(one, status)


def _whole(one: RunDir, status: Status, why: str, notes: list[str]) -> Iterator[_Item]:
    try:
        found = find(one)
    except UserError as error:
        notes.append(f"{one.id} is left: {error.message}")
        return
    if found.tracked and found.tracked.versions:
        name, version = found.tracked.versions[0]
        notes.append(f"{one.id} is left: it is version {version} of the registered model {name}")
        return
    why = why.partition("\n")[0]
    since = _last_used(one, status)
    yield _Item(status.state, one.id, why, since, found.bytes, partial(remove, one))


def _last_used(one: RunDir, status: Status) -> float:
    return status.ended or status.created or one.path.stat().st_mtime


def _checkpoints(one: RunDir, status: Status) -> Iterator[_Item]:
    from hpc_dl.run import removal

    every = sorted(it for it in one.checkpoints.glob("*-*") if it.is_dir())
    kinds = [[it for it in every if it.name.startswith(f"{kind}-")] for kind in ("step", "best")]
    left = [its[-1] for its in kinds if its]
    if not (gone := [it for it in every if it not in left]):
        return

    def remove_each() -> None:
        for folder in gone:
            removal.remove_folder(folder)

    why = f"{len(gone)} of {len(every)}, neither the newest nor the best"
    freed = removal.freed_bytes(gone)
    yield _Item("checkpoints", one.id, why, _last_used(one, status), freed, remove_each)


def _orphans(args: argparse.Namespace, root: Path, deleted: set[Path]) -> Iterator[_Item]:
    """Yield MLflow runs without a folder; add to `deleted` the folders whose MLflow run is."""
    import os

    from hpc_dl.planning import site as sites
    from hpc_dl.planning.tracking_store import of_site
    from hpc_dl.run import layout
    from hpc_dl.tracking import orphans, store_uri

    uri = store_uri.absolute(of_site(sites.load(args.site, os.environ), root), Path.cwd())
    found = orphans.find(uri, root, layout.list_runs(root), SECONDS)
    deleted |= found.deleted
    for path, began, tracked in found.without_folder:
        name = f"MLflow run {tracked.mlflow_id}"
        if not tracked.versions:
            yield _Item(
                "orphan",
                name,
                f"the folder {path} is gone",
                began,
                tracked.artifact_bytes or 0,
                partial(orphans.remove, uri, tracked.mlflow_id, SECONDS),
            )


def _leftovers(root: Path) -> Iterator[_Item]:
    """Yield folders that killed processes left, in the run root and in this machine's TMPDIR, and
    copies of hpcdl whose runs were removed by hand."""
    import os
    import shutil
    import tempfile

    from hpc_dl.run import removal, temporary_folder
    from hpc_dl.submission import hpcdl_code

    now, copies = time.time(), hpcdl_code.unreferenced(root)
    found: list[tuple[Path, float]] = [(it, 0.0) for it in [*removal.leftovers(root), *copies]]
    found += [(it, _HOUR) for it in temporary_folder.unused()]
    found += [(it, _DAY) for name in _TEMPORARY for it in Path(tempfile.gettempdir()).glob(name)]
    for folder, least in found:
        state = folder.lstat()
        if state.st_uid == os.geteuid() and now - state.st_mtime >= least:
            yield _Item(
                "left over",
                str(folder),
                "a copy of hpcdl that no run has" if folder in copies else "of a killed process",
                state.st_mtime,
                removal.freed_bytes([folder]),
                partial(shutil.rmtree, folder, ignore_errors=True),
            )


def _show(items: Sequence[_Item]) -> None:
    from rich.table import Table
    from rich.text import Text

    from hpc_dl.cli import common
    from hpc_dl.jobspec import units

    console = common.console()
    if not items:
        console.print("nothing to remove")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("what", "name", "age", "frees"):
        table.add_column(title, no_wrap=True)
    table.add_column("why", overflow="fold")
    for it in items:
        age = units.roughly(time.time() - it.since)
        table.add_row(*map(Text, (it.kind, it.name, age, size(it.bytes), it.why)))
    console.print(table)
