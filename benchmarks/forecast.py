"""`python -m benchmarks.forecast [JOB ...]`: the forecast of a rehearsal beside the run itself.

Every shipped job is shortened, rehearsed by `hpcdl submit --dry-run`, and then run; both from the
submission to the end. A machine that does other work meanwhile forecasts nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import machine, marked
from benchmarks.marked import Section
from hpc_dl.jobspec.load import load
from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.submission import Submission

ROOT = Path(__file__).parent.parent
JOBS, RESULTS = ROOT / "jobs", ROOT / "benchmarks" / "results" / "forecast.json"
SECTION = Section(ROOT / "docs" / "performance.md", "forecast", "benchmarks.forecast --page")
STEPS, STEPS_OF_EPOCHS = 200, 800
"""Of a job that is given in steps, and of one in epochs, which trains a whole one at least; none
trains longer than it is written."""


@dataclass(frozen=True)
class Comparison:
    """Seconds from submission to end, and MiB of a rank."""

    job: str
    forecast: float
    low: float
    high: float
    seconds: float
    forecast_memory: float
    memory: float

    @property
    def ratio(self) -> float:
        """The larger of forecast and run by the smaller."""
        return max(self.forecast / self.seconds, self.seconds / self.forecast)

    @property
    def memory_ratio(self) -> float:
        return max(self.forecast_memory / self.memory, self.memory / self.forecast_memory)


def compare(job: Path, root: Path) -> Comparison:
    """Rehearse and run a job, shortened."""
    words = ["submit", str(job), "train.early_stopping=null", "--local"]
    plan = json.loads(_hpcdl([*words, "--dry-run=plan", "--json"], root))["plan"]
    if (train := load(job).train).epochs:
        most = max(1, STEPS_OF_EPOCHS // plan["steps_per_epoch"])
        words.append(f"train.epochs={min(train.epochs, most)}")
    else:
        words.append(f"train.steps={min(plan['steps'], STEPS)}")
    answer = json.loads(_hpcdl([*words, "--dry-run", "--json"], root))["rehearsal"]
    _hpcdl([*words, "--new"], root)
    (run,) = (RunDir(it) for it in root.glob(f"{load(job).name}-*"))
    events = list(journal.view(run.journal))
    submission = Submission.load(run)
    assert submission is not None
    summary = next(event for event in events if event["event"] == "summary")
    end = next(event["t"] for event in reversed(events) if event["event"] == "state")
    low, high = answer["projected_range"]
    return Comparison(
        job.stem,
        answer["projected_seconds"],
        low,
        high,
        end - submission.submitted,
        answer["peak_memory"] / 2**20,
        summary["peak_memory"] / 2**20,
    )


def _hpcdl(words: Sequence[str], root: Path) -> str:
    environment = os.environ | {"HPCDL_RUN_ROOT": str(root), "HPCDL_SITE": "generic"}
    command = [sys.executable, "-m", "hpc_dl", *words]
    return subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


HEAD = (
    *("job", "forecast, s", "by speeds", "run, s", "ratio"),
    *("memory, MiB", "run, MiB", "ratio"),
)


def rows(found: Sequence[Comparison]) -> list[list[str]]:
    """Return the results as a table, without its head."""
    return [
        [
            it.job,
            f"{it.forecast:.1f}",
            f"{it.low:.1f} to {it.high:.1f}",
            f"{it.seconds:.1f}",
            f"{it.ratio:.2f}",
            f"{it.forecast_memory:,.0f}",
            f"{it.memory:,.0f}",
            f"{it.memory_ratio:.2f}",
        ]
        for it in found
    ]


def section(results: Mapping[str, Any]) -> str:
    """Return the table, in Markdown, of what was measured, where and how."""
    machine, found = results["machine"], [Comparison(**it) for it in results["jobs"]]
    told = (
        f"Measured by `python -m benchmarks.forecast` on {machine['cores']} cores of an "
        f"{machine['cpu']}, with a load of at most {results['load']:.1f} before each began. Of "
        f"{len(found)} jobs the forecast of the time is within 1.3 times for "
        f"{sum(it.ratio <= 1.3 for it in found)}, that of memory for "
        f"{sum(it.memory_ratio <= 1.3 for it in found)}."
    )
    return "\n".join([told, "", *marked.table([*HEAD], rows(found))])


def _show(found: Sequence[Comparison]) -> None:
    table = Table(box=None)
    for title in HEAD:
        table.add_column(title, justify="left" if title == "job" else "right")
    for row in rows(found):
        table.add_row(*row)
    Console().print(table)


def main() -> None:
    jobs = sorted(JOBS.glob("*.yaml"))
    names = [it.stem for it in jobs]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecast", description=__doc__)
    parser.add_argument("job", nargs="*", help=f"of {', '.join(names)}; all without one")
    parser.add_argument("-o", "--output", type=Path, help="write the results as JSON")
    parser.add_argument("--page", action="store_true", help="write the page of the committed ones")
    asked = parser.parse_args()
    if asked.page:
        SECTION.write(section(json.loads(RESULTS.read_text(encoding="utf-8"))))
        return
    if unknown := set(asked.job) - set(names):
        parser.error(f"there is no job {unknown.pop()}")
    told: dict[str, Any] = {"machine": machine.describe(), "load": os.getloadavg()[0]}
    found = []
    for job in jobs:
        if not asked.job or job.stem in asked.job:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                found.append(compare(job, Path(folder)))
    _show(found)
    if asked.output:
        told["jobs"] = [asdict(it) for it in found]
        asked.output.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
