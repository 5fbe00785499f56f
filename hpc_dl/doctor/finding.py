"""Finding: what one check found, how bad that is, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from hpc_dl.errors import UserError

Status = Literal["ok", "unknown", "warning", "fault"]
ORDER: tuple[Status, ...] = ("ok", "unknown", "warning", "fault")
"""From the best to the worst."""


class Problem(NamedTuple):
    """One thing that is wrong, or could not be found out."""

    status: Status
    message: str
    advice: str = ""


def when(is_so: object, status: Status, message: str, advice: str = "") -> list[Problem]:
    """Return the problem, if there is one."""
    return [Problem(status, message, advice)] if is_so else []


class Result(NamedTuple):
    """Result of a check: what is there, and what is wrong with it."""

    found: str
    problems: Sequence[Problem] = ()


Check = Callable[[], Result]
"""A check raises UserError where it cannot be made."""


@dataclass(frozen=True)
class Finding:
    """What is shown of a check. `unknown`: it could not be made."""

    check: str
    status: Status
    found: str
    advice: str = ""


def run(name: str, check: Check) -> Finding:
    """Make a check; the worst of its problems gives the status."""
    try:
        found, problems = check()
    except UserError as error:
        return Finding(name, "unknown", error.message, error.hint)
    wrong = sorted(problems, key=lambda it: -ORDER.index(it.status))
    lines = dict.fromkeys([found, *(it.message for it in wrong)])
    advice = dict.fromkeys(it.advice for it in wrong)
    status = wrong[0].status if wrong else "ok"
    return Finding(name, status, "\n".join(filter(None, lines)), "\n".join(filter(None, advice)))
