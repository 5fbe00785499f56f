"""Versions that the attempts of a run train with: hpcdl, Python, torch, CUDA."""

from __future__ import annotations

from collections.abc import Mapping

from hpc_dl.run import journal
from hpc_dl.run.events import Event
from hpc_dl.run.journal_tail import open_tail
from hpc_dl.run.layout import RunDir


def of(started: Event) -> dict[str, str]:
    """Return the versions that are known from a `started` event, by name."""
    environment = started.get("environment") or {}
    packages = environment.get("packages") or {}
    found = {
        "hpcdl": environment.get("hpcdl"),
        "Python": environment.get("python"),
        "torch": packages.get("torch"),
        "CUDA": environment.get("cuda"),
    }
    return {name: it for name, it in found.items() if isinstance(it, str)}


def difference(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the versions of which both are known and that differ."""
    pairs = ((name, before[name], it) for name, it in now.items() if name in before)
    return [f"{name} {new}, before {old}" for name, old, new in pairs if old != new]


def newest(run: RunDir) -> dict[str, str] | None:
    """Return the versions of the newest attempt that has trained; None without one."""
    with open_tail(run.journal) as tail:
        started = tail.newest("started")
    return None if started is None else of(started)


def changes(run: RunDir) -> list[str]:
    """Describe each change between two attempts that followed each other."""
    found, before = [], dict[str, str]()
    for event, _, _ in journal.read(run.journal, kinds=("started",)):
        now = of(event)
        if differs := difference(before, now):
            found.append(f"from step {event['step']} on {' and '.join(differs)}")
        before |= now
    return found
