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


def measure(root: Path) -> list[dict[str, Any]]:
    """Return the median time of each command, beside so many runs, and of a worker's start."""
    environment = os.environ | {"HPCDL_RUN_ROOT": str(root / "runs"), "HPCDL_SITE": "generic"}
    trained = [str(JOBS / "ffnn.yaml"), "--local", "train.epochs=1", "resources.cpus_per_task=1"]
    _hpcdl(["submit", *trained], environment)
    _copy(root / "runs" / "ffnn-digits-1")
    commands = {
        "--help": ["--help"],
        "submit --dry-run=plan": ["submit", str(JOBS / "vae.yaml"), "--local", "--dry-run=plan"],
        f"status, of {RUNS:,} runs": ["status"],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, words in commands.items():
            started = time.perf_counter()
            _hpcdl(words, environment)
            taken[name].append(time.perf_counter() - started)
    measured = [
        {"name": f"hpcdl {name}", "seconds": round(statistics.median(found), 3)}
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


def _hpcdl(words: list[str], environment: dict[str, str]) -> None:
    subprocess.run(
        [sys.executable, "-m", "hpc_dl", *words],
        env=environment,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
