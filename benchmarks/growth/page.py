"""The page docs/performance.md and its chart, from the committed results:
`python -m benchmarks.growth.page`. A test compares the page with what this would write."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import log
from pathlib import Path
from typing import Any

from benchmarks.growth.lines import LINES, Line
from benchmarks.marked import Section, table

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "growth.json"
PAGE, CHART = ROOT / "docs" / "performance.md", ROOT / "docs" / "growth.svg"
SECTION = Section(PAGE, "growth", "benchmarks.growth.page")
GREY, COLOUR = "#808080", "#d9642b"
"""Readable on white and on black."""


def exponent(line: Line, points: Sequence[Mapping[str, float]]) -> float:
    """Return by which power of the size the cost grows: 1 is linear; of one beside others, 0 is.

    It is that of the two largest sizes, of work that is done for each less what the smallest costs.
    """
    base, before, last = points[0], points[-2], points[-1]
    fixed = 0.0 if line.of_one else base["seconds"]
    more = [max(it["seconds"] - fixed, 1e-9) for it in (before, last)]
    return log(more[1] / more[0]) / log(last["size"] / before["size"])


def section(results: Mapping[str, Any]) -> str:
    """Return the table, in Markdown, of what was measured, where and how."""
    machine = results["machine"]
    head = ["", "from", "to", "CPU s", "of one, µs", "memory, MiB", "growth"]
    rows = []
    for name, points in results["lines"].items():
        line, small, large = LINES[name], points[0], points[-1]
        each = [1e6 * it["seconds"] / (1 if line.of_one else it["size"]) for it in (small, large)]
        rows.append(
            [
                line.title,
                f"{small['size']:,}",
                f"{large['size']:,} {line.unit}s",
                f"{small['seconds']:.3g} to {large['seconds']:.3g}",
                f"{each[0]:,.3g} to {each[1]:,.3g}"
                if max(each) < 10
                else f"{each[0]:,.0f} to {each[1]:,.0f}",
                f"{small['mebibytes']:.0f} to {large['mebibytes']:.0f}",
                f"{exponent(line, points):.2f}",
            ]
        )
    return "\n".join(
        [
            f"Measured by `python -m benchmarks.growth` on {machine['cores']} cores of an "
            f"{machine['cpu']}, {results['date']}, with a load of {results['load']}: seconds "
            "of CPU, and memory beyond that before. The growth is the power of the size by which "
            "the cost grows between the two largest sizes: 1 is linear, and 0 is best for one "
            "beside others.",
            "",
            *table(head, rows),
            "",
            "![Cost of one, by how many there are](growth.svg)",
        ]
    )


def chart(results: Mapping[str, Any], path: Path) -> None:
    """Draw a panel a line: the cost of one unit, by how many there are."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams.update({"svg.hashsalt": "growth", "svg.fonttype": "none", "font.size": 8})
    mpl.rcParams.update({"text.color": GREY, "axes.edgecolor": GREY, "axes.labelcolor": GREY})
    mpl.rcParams.update({"xtick.color": GREY, "ytick.color": GREY, "axes.titlecolor": GREY})
    lines = results["lines"]
    figure = Figure(figsize=(8, 2.1 * -(-len(lines) // 3)), layout="constrained")
    for number, (name, points) in enumerate(lines.items(), 1):
        line, axes = LINES[name], figure.add_subplot(-(-len(lines) // 3), 3, number)
        sizes = [it["size"] for it in points]
        each = [1e6 * it["seconds"] / (1 if line.of_one else it["size"]) for it in points]
        axes.loglog(sizes, each, "o-", color=COLOUR, markersize=3)
        axes.set_ylim(min(each) / 10, max(each) * 10)
        axes.set_title(line.title, fontsize=8)
        axes.set_xlabel(f"{line.unit}s")
        axes.set_ylabel(f"µs a {line.unit}")
        axes.patch.set_alpha(0)
    figure.patch.set_alpha(0)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    results = json.loads(RESULTS.read_text())
    SECTION.write(section(results))
    chart(results, CHART)


if __name__ == "__main__":
    main()
