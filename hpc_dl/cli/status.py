"""`hpcdl status`: state and progress of the runs."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.cli import common
from hpc_dl.errors import EXIT_CLUSTER, UserError
from hpc_dl.jobspec import units
from hpc_dl.run import journal, layout, versions
from hpc_dl.run.layout import DamagedFile, RunDir
from hpc_dl.run.submission import name_job
from hpc_dl.run.weights import Weights
from hpc_dl.status import Status, read_status, read_statuses
from hpc_dl.submission import hpcdl_code, provenance
from hpc_dl.tracking import description, uploads

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

HELP = "List the runs: state, place, progress, newest metric, age and reason; the newest last."
SHOWN = 20

_STYLES = {
    "queued": "yellow",
    "requeued": "yellow",
    "running": "cyan",
    "paused": "blue",
    "completed": "green",
    "failed": "bold red",
    "timeout": "red",
    "stopped": "magenta",
}


def configure(parser: argparse.ArgumentParser) -> None:
    common.add_runs(parser, optional=True)
    parser.add_argument("--all", action="store_true", help=f"all runs, not only the last {SHOWN}")
    parser.epilog = (
        "Exit code: with one RUN 1 if it has failed, 2 if its spec or data were at fault; 3 if a "
        "scheduler could not be asked."
    )


def run(args: argparse.Namespace) -> int:
    if common.names_one(args):
        return _show_one(read_status(common.chosen_runs(args)[0]), as_json=args.json)
    root = common.run_root(args)
    found = common.chosen_runs(args) if args.words else layout.list_runs(root)
    statuses = read_statuses(found if args.all or args.words else found[-SHOWN:])
    if args.json:
        common.print_json([_as_json(status) for status in statuses])
    else:
        _show_all(statuses, hidden=len(found) - len(statuses), root=str(root))
    return 0 if all(status.reachable for status in statuses) else EXIT_CLUSTER


def _show_one(status: Status, *, as_json: bool) -> int:
    code = _code(RunDir(Path(status.path)))
    if as_json:
        common.print_json({**_as_json(status), "code": code})
    else:
        _console().print(_details(status, code), soft_wrap=True)
    if not status.reachable:
        return EXIT_CLUSTER
    return common.failure_code(RunDir(Path(status.path))) if status.failed else 0


def _as_json(status: Status) -> dict[str, Any]:
    """Return a status with the hyperparameters of the run; None where its spec is damaged."""
    try:
        found = description.hyperparameters(RunDir(Path(status.path)))
    except UserError:
        found = None
    return {**status.to_json(), "hyperparameters": found}


def _console() -> Console:
    return common.plain_console(sys.stdout, 200)


def _show_all(statuses: list[Status], *, hidden: int, root: str) -> None:
    console = _console()
    if not statuses:
        console.print(f"There are no runs in {root}; `hpcdl submit JOB.yaml` starts one.")
        return
    if hidden:
        console.print(f"{hidden} older runs: hpcdl status --all", style="dim")
    console.print(_table(statuses))


def _table(statuses: list[Status]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("run", "state", "where", "progress", "metric", "age"):
        table.add_column(title, no_wrap=True)
    table.add_column("reason", overflow="fold")
    for status in statuses:
        cells = (status.where, _progress(status), _metric(status), units.roughly(status.age))
        reason = status.reason.partition("\n")[0]
        table.add_row(
            Text(status.id), _state(status), *(Text(cell) for cell in cells), Text(reason)
        )
    return table


def _code(run: RunDir) -> dict[str, Any]:
    """Return which hpcdl the jobs of a run import, which this is, and what changed meanwhile."""
    jobs, changes = hpcdl_code.frozen(run) or provenance.code_of(run), list[str]()
    with contextlib.suppress(DamagedFile):
        changes = versions.changes(run)
    current = hpcdl_code.current()
    return {
        "hpcdl": jobs and str(jobs),
        "current": str(current),
        "differs": jobs and jobs.digest != current.digest,
        "changes": changes,
    }


def _describe_code(code: Mapping[str, Any]) -> str:
    differs = f"; this is {code['current']}" if code["differs"] else ""
    found = [f"hpcdl {code['hpcdl']}{differs}"] if code["hpcdl"] else []
    return "; ".join([*found, *code["changes"]])


def _details(status: Status, code: Mapping[str, Any]) -> Text:
    from rich.text import Text

    job = name_job(status.backend, str(status.job_id)) if status.backend else ""
    left = f", {units.clock(status.seconds_left)} left" if status.seconds_left else ""
    lines = {
        "run": Text(status.id),
        "state": _state(status),
        "reason": Text(status.reason),
        "where": Text(", ".join(part for part in (status.where, job) if part)),
        "progress": Text(_progress(status) + left),
        **_results(status),
        "age": Text(units.roughly(status.age)),
        "tracking": Text(
            uploads.describe_pending(RunDir(Path(status.path)), status.state in journal.ENDED)
        ),
        "code": Text(_describe_code(code)),
        "run folder": Text(status.path),
    }
    shown = [Text.assemble((f"{key:11}", "bold"), text) for key, text in lines.items() if text]
    return Text("\n").join(shown)


def _state(status: Status) -> Text:
    from rich.text import Text

    return Text(status.state, style=_STYLES.get(status.state, "dim"))


def _progress(status: Status) -> str:
    if not status.steps or status.step is None:
        return ""
    return f"epoch {status.epoch}/{status.epochs} · {100 * status.step // status.steps} %"


def _metric(status: Status) -> str:
    if status.metric is None or status.value is None:
        return ""
    step = "" if status.metric_step is None else f" (step {status.metric_step})"
    return f"{status.metric} {_short(status.value)}{step}"


def _results(status: Status) -> dict[str, Text]:
    """Return the newest metric; of a completed run also the exported weights and their results."""
    from rich.text import Text

    from hpc_dl.cli.summary import training

    weights = Weights.from_json(status.weights)
    if weights is None:
        return {"metric": Text(_metric(status))}
    last = f"last: {_metric(status)}" if status.metric_step != weights.step else ""
    return {
        "weights": Text(weights.describe()),
        "training": Text(
            training(status.trainable_parameters, status.seconds) if status.seconds else ""
        ),
        "validation": Text(_listed(status.validation, f"of the {weights.name}")),
        "test": Text(_listed(status.test, f"of the {weights.name}")),
        "metric": Text(last),
    }


def _listed(values: Mapping[str, Any], of: str) -> str:
    listed = ", ".join(f"{name} {_short(value)}" for name, value in values.items())
    return f"{listed}, {of}" if listed else ""


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)
