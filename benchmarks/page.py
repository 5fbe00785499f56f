"""README's section on speed, and its chart, of the committed results: `python -m benchmarks.page`.

A test compares the README with what this would write.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.marked import Section, table
from benchmarks.workloads import CONTENDERS, HAND, HPCDL

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "speed.json"
README, CHART = ROOT / "README.md", ROOT / "docs" / "speed.svg"
SECTION = Section(README, "speed", "benchmarks.page")
COLUMNS = 110
GREY, COLOURS = "#808080", {HPCDL: "#d9642b", HAND: "#3b82c4"}
"""Readable on white and on black."""


def section(results: Mapping[str, Any]) -> str:
    """Return the tables, in Markdown, of what was measured, where and how."""
    lines = [
        _told(results),
        "",
        "![Time of a step, as a multiple of the loop by hand](docs/speed.svg)",
        "",
        *_of_steps(results["workloads"]),
        *_waiting(results["workloads"]),
    ]
    commands = [[_command(it["name"]), f"{it['seconds']:.2f} s"] for it in results["commands"]]
    lines += ["", *table(["", "until it is there"], commands)] if commands else []
    return "\n".join(lines)


def _told(results: Mapping[str, Any]) -> str:
    machine = results["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    loads = [load for it in results["workloads"] for load in it["load"]]
    days = sorted({it["date"].split()[0] for it in results["workloads"]})
    is_busy = min(loads) > 2 * machine["cores"]
    told = (
        f"`python -m benchmarks` on {machine['cores']} cores of an {machine['cpu']}, "
        f"{' and '.join(days)}, Python {machine['python']}, {packages}; the load of the machine "
        f"was {min(loads)} to {max(loads)}, and the benchmark's nice value {machine['nice']}. "
        "Contenders train in turns ([docs/speed.md](docs/speed.md)), from the same weights, in the "
        "same order, to the same losses. A figure is the median of the time of a step over that of "
        "the loop by hand in the turns beside it; in brackets the quartiles."
        + (" **The machine was busy with other work: these figures are rough.**" if is_busy else "")
    )
    return textwrap.fill(told, COLUMNS, break_long_words=False, break_on_hyphens=False)


def _of_steps(workloads: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a table with a row for each workload, and a column for each contender."""
    others = [name for name in CONTENDERS if name not in (HPCDL, HAND)]
    head = ["", "a step by hand", "by hand", "hpcdl", "goal", *(CONTENDERS[it] for it in others)]
    rows = []
    for it in workloads:
        found = it["contenders"]
        ratios = [_ratio(found[HAND]), f"**{_ratio(found[HPCDL])}**", f"{it['goal']:.2f}"]
        beside = [f"{found[name]['ratio']:.2f}" if name in found else "" for name in others]
        rows.append([it["title"], f"{found[HAND]['step_us'] / 1000:,.2f} ms", *ratios, *beside])
    return table(head, rows)


def _waiting(workloads: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a paragraph for each workload that reads files: how long its loops wait for them."""
    lines = []
    for it in workloads:
        shares = {name: found.get("waiting") for name, found in it["contenders"].items()}
        if shares.get(HAND):
            each = ", ".join(f"{CONTENDERS[k]} {share:.1%}" for k, share in shares.items() if share)
            lines += ["", f"Share of the time that waits for data, {it['title']}: {each}."]
    return lines


_COMMAND = re.compile(r"((?:hpcdl|python) .*?)?((?:, |^)(?:of|to|the) .*)?")


def _command(name: str) -> str:
    """Return the name of a measurement, with the command in it as code."""
    found = _COMMAND.fullmatch(name)
    assert found is not None
    typed, said = found.groups("")
    return f"`{typed}`{said}" if typed else said


def _ratio(found: Mapping[str, Any]) -> str:
    low, high = found["quartiles"]
    return f"{found['ratio']:.2f} ({low:.2f}-{high:.2f})"


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Draw the ratios as bars, a group for each workload, with their quartiles."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    mpl.rcParams |= {
        "svg.fonttype": "path",
        "svg.hashsalt": "hpcdl",
        **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), GREY),
    }
    bars = [
        (it["title"], name, found)
        for it in results["workloads"]
        for name, found in it["contenders"].items()
        if name != HAND
    ]
    figure, axes = plt.subplots(figsize=(8, 0.8 + 0.24 * len(bars)))
    before, labels = "", []
    for at, (title, name, found) in enumerate(bars):
        low, high = found["quartiles"]
        colour = COLOURS.get(name, GREY)
        axes.barh(at, found["ratio"], color=colour, height=0.7, alpha=0.7)
        axes.plot([low, high], [at, at], color=GREY, linewidth=3)
        axes.text(
            max(high, found["ratio"]) + 0.03, at, f"{found['ratio']:.2f}", va="center", size=8
        )
        labels.append(f"{title}: {CONTENDERS[name]}" if title != before else CONTENDERS[name])
        before = title
    axes.set_yticks(range(len(bars)), labels, size=8)
    axes.axvline(1, color=COLOURS[HAND], linewidth=1)
    axes.invert_yaxis()
    axes.set_xlabel("time of a step, of that of the loop by hand (less is better)")
    axes.spines[:].set_visible(False)
    figure.savefig(path, transparent=True, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def read() -> dict[str, Any]:
    """Return the committed results."""
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def main() -> None:
    results = read()
    SECTION.write(section(results))
    draw(results, CHART)


if __name__ == "__main__":
    main()
