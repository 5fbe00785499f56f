"""hpcdl as a contender: a real run, started by `hpcdl submit --local`, with everything on.

Between two rounds all its processes are stopped, the sync to MLflow as well. What its steps take
follows from the journal. Between two reports of one epoch it is the difference of their times, so
that reports, heartbeats, checkpoints and whatever else happens between them count. Up to the first
report of an epoch it is what the loop has measured, from before the order of the examples is drawn.
Evaluation and pictures, at the ends of epochs, are not in it: the other contenders have none.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.contender import LEAST_SECONDS, RaceError, Round
from benchmarks.pace import CHECKED
from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal, records
from hpc_dl.run.events import Event
from hpc_dl.run.layout import RunDir
from hpc_dl.run.submission import Submission
from hpc_dl.tracking import sync_worker

POLL_SECONDS, PATIENCE_SECONDS = 0.1, 240.0
SETTLING_SECONDS = 3.0
"""After a pause all that is done from time to time is due at once, as is the checkpoint of the next
epoch: that is let pass."""
RATE, WAITING = "train/examples_per_second", "train/waiting_percentage"
OF_RUNTIME = ("MALLOC_", "LD_PRELOAD", "GOMP_", "KMP_", "OMP_")
"""Beginnings of the variables that decide how memory and threads are had."""


class HpcdlRun:
    """A run that trains until it is closed."""

    def __init__(self, job: Mapping[str, Any], root: Path, environment: Mapping[str, str]) -> None:
        spec, self.run = root / "job.yaml", RunDir(root / "runs" / f"{job['name']}-1")
        spec.write_text(yaml.safe_dump(dict(job)), encoding="utf-8")
        own = {"HPCDL_RUN_ROOT": str(self.run.root), "HPCDL_SITE": "generic"}
        self._log, self._is_watched = root / "submit.log", True
        self._group: int | None = None
        with self._log.open("wb") as log:
            self._submit = subprocess.Popen(
                [sys.executable, "-m", "hpc_dl", "submit", str(spec), "--local"],
                env={**environment, **own},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def begin(self) -> None:
        """Wait until the job is submitted."""
        self._wait_until(lambda: self.run.submission.exists() and self._submission().job_id)
        self._group = self._submission().group
        self.spec, self.plan = records.load_spec(self.run), records.load(self.run.plan, Plan)

    def _submission(self) -> Submission:
        found = Submission.load(self.run)
        assert found is not None
        return found

    def runtime(self) -> dict[str, str]:
        """Return what rank 0 has in its environment for memory and threads."""
        controller = psutil.Process(int(self._submission().job_id))
        self._wait_until(controller.children)
        environment = controller.children()[0].environ()
        return {k: v for k, v in environment.items() if k.startswith(OF_RUNTIME)}

    def wait_until_steady(self) -> None:
        """Wait until the run trains and MLflow has its first metrics; then stop it."""
        self._wait_until(self._is_steady)
        self._is_watched = False
        self._submit.terminate()  # the run goes on
        self._submit.wait()
        self._signal(signal.SIGSTOP)

    def _is_steady(self) -> bool:
        reports, _ = self._reports(0)
        return self.run.tracking.exists() and bool(reports) and reports[-1]["step"] >= CHECKED

    @property
    def loss(self) -> float:
        """The mean loss over the first steps, summed over the players."""
        total, before = 0.0, 0
        for report in self._reports(0)[0]:
            losses = [v for name, v in report["values"].items() if name.endswith("loss")]
            total += sum(losses) * (report["step"] - before)
            before = report["step"]
            if before >= CHECKED:
                break
        return total / before

    def round(self, warm: int, steps: int) -> Round:
        offset, resumed = self.run.journal.stat().st_size, time.time()
        self._signal(signal.SIGCONT)
        found: list[Event] = []
        least = max(LEAST_SECONDS, *sync_worker.INTERVALS)  # with as many syncs as ever

        def measured() -> list[Event]:
            """The reports that count; the steps before the first were interrupted."""
            warmed = [
                it
                for it in found
                if it["step"] >= found[0]["step"] + warm and it["t"] > resumed + SETTLING_SECONDS
            ]
            for number, it in enumerate(warmed):
                enough = it["step"] >= warmed[0]["step"] + steps
                if enough and it["t"] >= warmed[0]["t"] + least:
                    return warmed[: number + 1]
            return []

        def is_over() -> bool:
            nonlocal offset  # each report is read once: the cores are those of the training
            new, offset = self._reports(offset)
            found.extend(new)
            return bool(found and measured())

        self._wait_until(is_over)
        self._signal(signal.SIGSTOP)
        counted = measured()
        seconds = [self._seconds(*pair) for pair in pairwise(counted)]
        shares = [report["values"][WAITING] / 100 for report in counted[1:]]
        waited = sum(share * it for share, it in zip(shares, seconds, strict=True))
        return Round(counted[-1]["step"] - counted[0]["step"], sum(seconds), waited)

    def _seconds(self, before: Event, report: Event) -> float:
        if before["epoch"] == report["epoch"]:
            return float(report["t"] - before["t"])
        examples = self.plan.examples_seen(report["step"]) - self.plan.examples_seen(before["step"])
        return examples / float(report["values"][RATE])

    def _reports(self, offset: int) -> tuple[list[Event], int]:
        """Return the reports on training in the journal from a byte on, and where they end."""
        entries = list(journal.read(self.run.journal, offset, kinds=("metrics",)))
        end = entries[-1].end if entries else offset
        return [it.event for it in entries if RATE in it.event["values"]], end

    def _wait_until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > end or (self._is_watched and self._submit.poll() is not None):
                raise RaceError(f"the run does not train:\n{self._log.read_text()}")
            time.sleep(POLL_SECONDS)

    def close(self) -> None:
        self._submit.kill()
        self._submit.wait()
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        """Send a signal to all processes of the run."""
        if self._group is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._group, number)
