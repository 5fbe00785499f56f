"""A comparison as a table: for people, as CSV, and for LaTeX with booktabs."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from hpc_dl.comparison import groups as grouping
from hpc_dl.comparison.groups import Group

ABSENT = "—"
_LISTED = 3
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "—": "---",
    "…": r"\dots{}",
    **{char: f"\\{char}" for char in "&%$#_{}"},
}


def for_people(groups: Sequence[Group]) -> list[list[str]]:
    """Return a header and a row for each group."""
    names, seeds = grouping.differing(groups), grouping.differing_seeds(groups)
    repeated = any(len(group.results) > 1 for group in groups)
    untested = any(len(group.tested) < len(group.results) for group in groups)
    measured = grouping.metrics(groups)
    head = ["run", *names, *seeds, *(["n"] if repeated else []), *(["state"] if untested else [])]
    rows = [head + [f"test {name}" for name in measured]]
    for group in groups:
        row = [_ids(group.ids), *(_option(group, name) for name in names)]
        row += [", ".join(map(str, group.seeds(name))) or ABSENT for name in seeds]
        row += [_count(group)] if repeated else []
        row += [_states(group)] if untested else []
        rows.append(row + [str(group.mean(name) or ABSENT) for name in measured])
    return rows


def to_csv(groups: Sequence[Group]) -> str:
    """Return CSV with all digits: mean and sample standard deviation (`_sd`) of each metric.

    `n` counts the tested runs. What is not there is empty, as is a deviation of a single run.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(_cells(groups))
    return text.getvalue()


def _cells(groups: Sequence[Group]) -> Iterator[list[Any]]:
    names, measured = grouping.differing(groups), grouping.metrics(groups)
    seeds = [*grouping.varied_seeds(groups), *grouping.differing_seeds(groups)]
    seeds = list(dict.fromkeys(seeds))
    columns = [column for name in measured for column in (f"test/{name}", f"test/{name}_sd")]
    yield ["runs", *names, *seeds, "n", "state", *columns]
    for group in groups:
        row: list[Any] = [" ".join(group.ids), *(group.options.get(name, "") for name in names)]
        row += [" ".join(map(str, group.seeds(name))) for name in seeds]
        row += [len(group.tested), _states(group)]
        for name in measured:
            mean = group.mean(name)
            row += [mean.mean, mean.deviation if mean.n > 1 else ""] if mean else ["", ""]
        yield row


def to_latex(groups: Sequence[Group]) -> str:
    """Return a `tabular` for LaTeX's package booktabs."""
    head, *rows = ([_escape(cell) for cell in row] for row in for_people(groups))
    lines = [r"% \usepackage{booktabs}", rf"\begin{{tabular}}{{{'l' * len(head)}}}", r"\toprule"]
    lines += [" & ".join(head) + r" \\", r"\midrule"]
    lines += [" & ".join(row) + r" \\" for row in rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _escape(text: str) -> str:
    return "".join(_LATEX.get(char, char) for char in text)


def _ids(ids: Sequence[str]) -> str:
    return ", ".join(ids if len(ids) <= _LISTED else [ids[0], "…", ids[-1]])


def _option(group: Group, name: str) -> str:
    return str(group.options.get(name, ABSENT))


def label(group: Group, names: Sequence[str]) -> str:
    """Return in a line what is special about a group: its options of these names, else its runs."""
    shown = [f"{name} {_option(group, name)}" for name in names if name in group.options]
    return ", ".join(shown) or _ids(group.ids)


def _count(group: Group) -> str:
    """Return how many runs were tested, of how many."""
    tested, of = len(group.tested), len(group.results)
    return str(of) if tested == of else f"{tested} of {of}"


def _states(group: Group) -> str:
    counts = Counter(
        "no test metrics" if it.state == "completed" and not it.test else it.state
        for it in group.results
    )
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{count} {state}" for state, count in counts.items())
