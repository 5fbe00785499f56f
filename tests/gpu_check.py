"""`python -m tests.gpu_check`: everything that only a machine with NVIDIA GPUs can show.

Takes minutes, and no network. Prints what passed, failed, and was skipped for want of a second GPU,
and writes it as JSON, with the name of the device. Arguments are parts of the names of checks.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console

os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.gpu import machine, report
from tests.support import empty_store


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of the names of checks; all without any")
    parser.add_argument("--json", type=Path, default=Path("gpu-check.json"), help="where to write")
    asked = parser.parse_args()
    console = Console()
    if not machine.has_gpus():
        console.print("torch sees no GPU here: nothing to check")
        return 2
    chosen = [
        name for name in report.CHECKS if not asked.names or any(it in name for it in asked.names)
    ]
    outcomes = []
    with tempfile.TemporaryDirectory() as store:
        os.environ[empty_store.FOLDER] = store
        for outcome in report.run(chosen):
            outcomes.append(outcome)
            console.print(f"{outcome.name}: {outcome.result} ({outcome.seconds:.0f} s)")
    report.show(outcomes, console)
    report.save(outcomes, asked.json)
    return int(any(it.result == "failed" for it in outcomes))


if __name__ == "__main__":
    sys.exit(main())
