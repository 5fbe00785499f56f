"""Time from the start of a worker to its first step, beside that of importing what it needs."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.contender import RaceError
from hpc_dl.jobspec.load import load
from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.waiting import wait_until
from tests.support.running import prepared

JOB = Path(__file__).parent.parent / "jobs" / "ffnn.yaml"
IMPORTS = "import torch, accelerate"
POLL_SECONDS, PATIENCE_SECONDS = 0.02, 240.0


def measure(root: Path, rounds: int, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the median seconds of the imports, of the start of a worker, and of what that takes
    beyond the imports; in turns."""
    spec = load(JOB, ["train.log_every=1", "resources.cpus_per_task=1"])
    taken: list[tuple[float, float]] = []
    for _ in range(rounds):
        started = time.perf_counter()
        # Without the interpreter's end, which a worker's first step does not wait for either.
        words = [sys.executable, "-c", f"{IMPORTS}, os; os._exit(0)"]
        subprocess.run(words, env=dict(environment), check=True)
        imports = time.perf_counter() - started
        taken.append((imports, _first_step(prepared(root, spec), environment)))
    columns = {
        f'python -c "{IMPORTS}"': [imports for imports, _ in taken],
        "python -m hpc_dl.worker, to its first step": [worker for _, worker in taken],
        "the worker, beyond the imports": [worker - imports for imports, worker in taken],
    }
    return [
        {"name": name, "seconds": round(statistics.median(found), 3)}
        for name, found in columns.items()
    ]


def _first_step(run: RunDir, environment: Mapping[str, str]) -> float:
    """Return the seconds from the start of a worker to the report on its first step."""
    started = time.time()
    worker = subprocess.Popen(
        [sys.executable, "-m", "hpc_dl.worker", str(run.path)],
        env=dict(environment),
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(
            lambda: worker.poll() is not None or _reports(run), PATIENCE_SECONDS, POLL_SECONDS
        )
    finally:
        os.killpg(worker.pid, signal.SIGKILL)  # with its sync to MLflow
        worker.wait()
    if not (reports := _reports(run)):
        raise RaceError(f"the worker makes no step: {run.path}")
    return float(reports[0].event["t"]) - started


def _reports(run: RunDir) -> list[journal.Entry]:
    return list(journal.read(run.journal, kinds=("metrics",)))
