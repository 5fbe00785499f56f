"""`python -m benchmarks.growth [--only LINE ...] [-o JSON]`: measure, print a table, write JSON.

The page docs/performance.md is made from the committed JSON by `python -m benchmarks.growth.page`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import machine
from benchmarks.growth.lines import LINES


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=LINES, default=list(LINES), metavar="LINE")
    parser.add_argument("--largest", type=int, help="leave out larger sizes")
    parser.add_argument("-o", "--output", type=Path, help="write the results, beside those there")
    asked, console = parser.parse_args(), Console()
    lines: dict[str, Any] = {}
    when, load = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", round(os.getloadavg()[0], 1)
    told = {"machine": machine.describe(), "date": when, "load": load}
    for name in asked.only:
        sizes = [it for it in LINES[name].sizes if it <= (asked.largest or it)]
        lines[name] = _measured(name, sizes)
        console.print(_table(name, lines[name]))
        if asked.output:
            known = json.loads(asked.output.read_text())["lines"] if asked.output.exists() else {}
            both = {name: {**known, **lines}[name] for name in LINES if name in {*known, *lines}}
            text = json.dumps({**told, "lines": both}, indent=1)
            asked.output.write_text(f"{text}\n", encoding="utf-8")


def _measured(name: str, sizes: list[int]) -> list[dict[str, float]]:
    command = [sys.executable, "-m", "benchmarks.growth.measure", name, *map(str, sizes)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    found: list[dict[str, float]] = json.loads(answer)
    return found


def _table(name: str, points: list[dict[str, float]]) -> Table:
    line = LINES[name]
    table = Table(title=line.title, title_justify="left", box=None)
    for title in (f"{line.unit}s", "CPU s", f"µs a {line.unit}", "MiB"):
        table.add_column(title, justify="right")
    for it in points:
        each = 1e6 * it["seconds"] / (1 if line.of_one else it["size"])
        cells = f"{it['size']:,}", f"{it['seconds']:.3g}", f"{each:,.3g}", f"{it['mebibytes']:.0f}"
        table.add_row(*cells)
    return table


if __name__ == "__main__":
    main()
