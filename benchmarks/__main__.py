"""`python -m benchmarks [--only NAME ...] [--rounds N] [-o JSON]`: race, print a table, write JSON.

In a file that is there, results of other workloads stay. The README's section is made from the
committed one by `python -m benchmarks.page`.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import commands, evaluation, machine, table
from benchmarks.contender import RaceError
from benchmarks.race import race
from benchmarks.workloads import EVALUATION, WORKLOADS

ROUNDS, COMMANDS = 3, "commands"


def main() -> None:
    names = [*(it.name for it in WORKLOADS), EVALUATION, COMMANDS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("-o", "--output", type=Path, help="write the results as JSON")
    asked, console, log = parser.parse_args(), Console(), Console(stderr=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # which ends the contenders, too
    found: dict[str, Any] = {"machine": machine.describe(), "rounds": asked.rounds}
    measured = _read(asked.output)
    failed = False
    with tempfile.TemporaryDirectory(prefix="hpcdl-bench-") as folder:
        for workload in WORKLOADS:
            if workload.name in asked.only:
                try:
                    result = race(workload, asked.rounds, Path(folder) / workload.name, log.log)
                except RaceError as error:
                    log.print(f"error: {error}", style="red")
                    failed = True
                    continue
                console.print(table.of(result))
                measured[workload.name] = result
                _write(asked.output, found, measured)
        if EVALUATION in asked.only:
            log.log(EVALUATION)
            measured[EVALUATION] = evaluation.measure(Path(folder) / EVALUATION)
            console.print(table.of(measured[EVALUATION]))
            _write(asked.output, found, measured)
        if COMMANDS in asked.only:
            log.log(COMMANDS)
            measured[COMMANDS] = commands.measure(Path(folder))
            console.print(table.of_commands(measured[COMMANDS]))
            _write(asked.output, found, measured)
    sys.exit(failed)


def _read(path: Path | None) -> dict[str, Any]:
    """Return what a file has by name; nothing if there is none."""
    if path is None or not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    by_name = {it["name"]: it for it in found["workloads"]}
    return by_name | {COMMANDS: found[COMMANDS]}


def _write(path: Path | None, about: dict[str, Any], measured: dict[str, Any]) -> None:
    if path is None:
        return
    names = [*(it.name for it in WORKLOADS), EVALUATION]
    workloads = [measured[name] for name in names if name in measured]
    found = {**about, "workloads": workloads, COMMANDS: measured.get(COMMANDS, [])}
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
