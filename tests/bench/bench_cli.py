"""How long the commands take that people type while they wait: the median of ten.

`python -m tests.bench.bench_cli` prints seconds of wall time, the interpreter's start included, for
a folder of 50 runs.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hpc_dl.run.journal import Journal
from tests.support.running import new_run

JOBS = Path(__file__).parent.parent.parent / "jobs"
ROUNDS, RUNS = 10, 50
COMMANDS = {
    "--help": ["--help"],
    "models": ["models"],
    "submit --dry-run=plan": ["submit", str(JOBS / "vae.yaml"), "--local", "--dry-run=plan"],
    "status": ["status"],
}


def seconds(words: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "hpc_dl", *words],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "runs"
        for _ in range(RUNS):
            own = Journal(new_run(root).journal)
            own.append("state", state="completed", reason="all steps")
            own.close()
        environment = os.environ | {"HPCDL_RUN_ROOT": str(root), "HPCDL_SITE": "generic"}
        for name, words in COMMANDS.items():
            times = [seconds(words, environment) for _ in range(ROUNDS)]
            print(f"hpcdl {name:22} {statistics.median(times):.3f} s")


if __name__ == "__main__":
    main()
