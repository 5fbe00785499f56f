"""Commands that people wait for, and the start of a worker: wall time, the start of the interpreter
included."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import worker_start

JOBS = Path(__file__).parent.parent / "jobs"
RUNS, ROUNDS = 5000, 10
LIBRARIES = "import pydantic, rich.console, yaml"
"""Which a plan takes, whatever hpcdl does."""


def measure(root: Path) -> list[dict[str, Any]]:
    """Return the median time of each command, beside so many runs, and of a worker's start."""
    environment = os.environ | {"HPCDL_RUN_ROOT": str(root / "runs"), "HPCDL_SITE": "generic"}
    trained = [str(JOBS / "ffnn.yaml"), "--local", "train.epochs=1", "resources.cpus_per_task=1"]
    _python(["-m", "hpc_dl", "submit", *trained], environment)
    _copy(root / "runs" / "ffnn-digits-1")
    plan = ["submit", str(JOBS / "vae.yaml"), "--local", "--dry-run=plan"]
    commands = {
        "hpcdl --help": ["-m", "hpc_dl", "--help"],
        f'python -c "{LIBRARIES}"': ["-c", LIBRARIES],
        "hpcdl submit --dry-run=plan": ["-m", "hpc_dl", *plan],
        f"hpcdl status, of {RUNS:,} runs": ["-m", "hpc_dl", "status"],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, words in commands.items():
            started = time.perf_counter()
            _python(words, environment)
            taken[name].append(time.perf_counter() - started)
    measured = [
        {"name": name, "seconds": round(statistics.median(found), 3)}
        for name, found in taken.items()
    ]
    return measured + worker_start.measure(root / "started", ROUNDS, environment)


def _copy(run: Path) -> None:
    """Copy what `status` reads of a completed run, until there are so many."""
    for number in range(2, RUNS + 1):
        copy = run.with_name(f"ffnn-digits-{number}")
        copy.mkdir()
        for file in run.iterdir():
            if file.is_file() and file.suffix in (".json", ".jsonl", ".yaml"):
                shutil.copy(file, copy / file.name)


def _python(words: list[str], environment: dict[str, str]) -> None:
    subprocess.run(
        [sys.executable, *words],
        env=environment,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
