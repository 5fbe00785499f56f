"""Malformed and unusual data: what a user sees of each, and when.

A table of cases for each reader lies in `tests/data/unusual/`; `docs/unusual-data.md` is made of
them by `python -m tests.support.unusual_data`.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import TypeAdapter

from hpc_dl.data import loading, sources
from hpc_dl.data.dataset import Split, Splits
from hpc_dl.data.sampler import held_out
from hpc_dl.data.splits.counts import Holdout
from hpc_dl.data.streamed import StreamedSplit
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources import DataSpec
from hpc_dl.planning import class_balance

PAGE = Path(__file__).parents[2] / "docs" / "unusual-data.md"
_SPEC: TypeAdapter[Any] = TypeAdapter(DataSpec)
When = Literal["submission", "node", "training", "trains"]
MOMENTS = {
    "submission": "refused at submission",
    "node": "refused on the node, before the first step",
    "training": "ends the run when it is read",
    "trains": "trains",
}


@dataclass(frozen=True)
class Case:
    """Data that a user may have, and what hpcdl says of them.

    `make` writes them into an empty folder, and returns the options under `data`. `seen` is in the
    message and its hint, or, where it trains, in the notes of the plan; `…` stands for any text.
    """

    what: str
    make: Callable[[Path], dict[str, Any]]
    when: When
    seen: str = ""
    later: Callable[[Path], object] | None = None
    """Happens to the data while they are streamed."""


def check(case: Case, folder: Path) -> None:
    """Assert that a case is refused when it should be, in the right words, or is read."""
    options: Any = _SPEC.validate_python(case.make(folder))
    source = sources.build(options, folder / "root", folder)
    if case.when == "submission":
        return _assert_refused(case, source.describe)
    facts = source.describe()
    if case.when == "node":
        return _assert_refused(case, lambda: _load(options, folder))
    splits = _load(options, folder)
    if case.later is not None:
        case.later(folder)
    parts = (splits.train, splits.validation, splits.test)
    if case.when == "training":
        return _assert_refused(case, lambda: _read(parts))
    assert (facts.train, facts.validation, facts.test) == tuple(map(len, parts))
    _read(parts)
    notes = (*facts.notes, *class_balance.notes(Holdout.of(options), facts, True))
    return _assert_seen(case.seen, "\n".join(notes))


def _load(options: Any, folder: Path) -> Splits:
    workers = 0 if options.loading == "streaming" else None
    return loading.load(sources.build(options, folder / "root", folder), workers)


def _read(parts: Iterable[Split]) -> None:
    """Read all that is streamed."""
    for part in parts:
        if isinstance(part, StreamedSplit):
            for _ in held_out(part, 8, 0, 1):
                pass


def _assert_refused(case: Case, work: Callable[[], object]) -> None:
    with pytest.raises(UserError) as caught:
        work()
    assert caught.value.exit_code == 2
    _assert_seen(case.seen, str(caught.value))


def _assert_seen(wanted: str, text: str) -> None:
    pattern = ".*".join(map(re.escape, wanted.split("…")))
    assert re.search(pattern, text, re.DOTALL), f"{wanted!r} is not in {text!r}"


def tables() -> Iterator[tuple[str, list[Case]]]:
    """Yield the name and the cases of each reader."""
    from tests.data import unusual

    for module in pkgutil.iter_modules(unusual.__path__):
        name = module.name.removeprefix("test_")
        yield name, importlib.import_module(f"{unusual.__name__}.{module.name}").CASES


def page() -> str:
    """Return the page of all cases."""
    lines = [
        "# Malformed and unusual data",
        "",
        "What hpcdl says of data that are not as one expects, and when. Each row is a test in",
        "`tests/data/unusual/`; `…` stands for names and numbers that depend on the file.",
    ]
    for name, cases in tables():
        lines += [
            "",
            f"## {name.replace('_', ' ').capitalize()}",
            "",
            "| data | when | what is seen |",
        ]
        lines += ["| --- | --- | --- |"]
        lines += [f"| {it.what} | {MOMENTS[it.when]} | {_cell(it.seen)} |" for it in cases]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "<br>")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
