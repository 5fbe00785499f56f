"""The result of a race as a table in the terminal."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from benchmarks.workloads import CONTENDERS


def of(result: dict[str, Any]) -> Table:
    """Return a row for each contender, with its ratio to the loop by hand."""
    table = Table(title=result["title"], title_justify="left")
    for name in ("", "a step", "of by hand", "quartiles", "waits for data", "first loss"):
        table.add_column(name, justify="right" if name else "left")
    for name, it in result["contenders"].items():
        low, high = it["quartiles"]
        ratio = f"{it['ratio']:.2f}" + (f" (goal {result['goal']:.2f})" if name == "hpcdl" else "")
        loss = f"{it['first_loss']:.5f}" if "first_loss" in it else ""  # none of an evaluation
        waiting = f"{it['waiting']:.1%}" if "waiting" in it else ""
        row = f"{it['step_us']:,.0f} µs", ratio, f"{low:.2f}-{high:.2f}", waiting, loss
        table.add_row(CONTENDERS[name], *row)
    return table


def of_commands(measured: list[dict[str, Any]]) -> Table:
    """Return a row for each command that people wait for."""
    table = Table("command", "seconds")
    for it in measured:
        table.add_row(it["name"], f"{it['seconds']:.2f}")
    return table
