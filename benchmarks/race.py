"""A race: the contenders of a workload train in turns, and their steps are compared."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import pictures, turns
from benchmarks.contender import Child, Contender, RaceError
from benchmarks.hpcdl_run import HpcdlRun
from benchmarks.prepare import prepare
from benchmarks.turns import Turn
from benchmarks.workloads import HAND, HPCDL, Workload

PACKAGES = {"fabric": "lightning", "lightning": "lightning", "transformers": "transformers"}
"""Of the extra `bench`, by contender."""


def contenders_of(workload: Workload) -> tuple[str, ...]:
    """Return those whose packages are installed."""
    return tuple(
        name
        for name in workload.contenders
        if name not in PACKAGES or importlib.util.find_spec(PACKAGES[name])
    )


def race(workload: Workload, rounds: int, root: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Return what each contender has taken, as JSON has it; `say` gets lines of progress."""
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "MALLOC_", "GOMP_"))
    }
    environment["OMP_NUM_THREADS"] = str(workload.threads)
    root.mkdir()
    job = workload.job()
    if workload.name == "pictures":
        job["data"]["root"] = str(pictures.write(root / "pictures"))
    started: dict[str, Contender] = {}
    say(f"{workload.name}: {HPCDL} starts")
    try:
        started[HPCDL] = own = HpcdlRun(job, root, environment)
        own.begin()
        problem = root / "problem.pt"
        prepare(workload.name, own.spec, own.plan).save(problem)
        runtime = own.runtime()
        own.wait_until_steady()
        others = [it for it in contenders_of(workload) if it != HPCDL]
        say(f"{workload.name}: {', '.join(others)} start")
        for name in others:
            more = runtime if name == HAND else {}
            started[name] = Child(name, problem, {**environment, **more}, root / f"{name}.log")
        for name in others:
            started[name].begin()
        load = [round(os.getloadavg()[0], 1)]
        say(f"{workload.name}: {rounds} rounds")
        found = turns.take(started, rounds, workload.steps)
        load.append(round(os.getloadavg()[0], 1))
        losses = {name: it.loss for name, it in started.items()}
    finally:
        for it in started.values():
            it.close()
    about = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "load": load, "job": job}
    return {**_compared(workload, found, losses), **about}


def _compared(
    workload: Workload,
    found: Mapping[str, list[Turn]],
    losses: Mapping[str, float],
) -> dict[str, Any]:
    """Return the result of a race as JSON has it."""
    for name, loss in losses.items():
        if abs(loss / losses[HAND] - 1) > workload.agreement:
            raise RaceError(
                f"{workload.name}: the first losses of {name}, {loss:.5g} in the mean, are not "
                f"those by hand, {losses[HAND]:.5g}: it trains something else"
            )
    return {
        "name": workload.name,
        "title": workload.title,
        "goal": workload.goal,
        "steps": workload.steps,
        "contenders": {
            name: {**turns.summary(taken), "first_loss": round(losses[name], 6)}
            for name, taken in found.items()
        },
    }
