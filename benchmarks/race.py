"""A race: the contenders of a workload train in turns, and their steps are compared."""

from __future__ import annotations

import importlib.util
import os
import statistics
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import pictures
from benchmarks.contender import Child, Contender, RaceError, Round
from benchmarks.hpcdl_run import HpcdlRun
from benchmarks.prepare import prepare
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
        for name in contenders_of(workload):
            if name != HPCDL:
                say(f"{workload.name}: {name} starts")
                more = runtime if name == HAND else {}
                log = root / f"{name}.log"
                started[name] = Child(name, problem, {**environment, **more}, log)
                started[name].begin()
        load = [round(os.getloadavg()[0], 1)]
        say(f"{workload.name}: {rounds} rounds")
        found: dict[str, list[Round]] = {name: [] for name in started}
        for _ in range(rounds):
            for name, it in started.items():
                found[name].append(it.round(workload.steps // 10, workload.steps))
        load.append(round(os.getloadavg()[0], 1))
        losses = {name: it.loss for name, it in started.items()}
    finally:
        for it in started.values():
            it.close()
    about = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "load": load, "job": job}
    return {**_compared(workload, found, losses), **about}


def _compared(
    workload: Workload,
    found: Mapping[str, list[Round]],
    losses: Mapping[str, float],
) -> dict[str, Any]:
    """Return the result of a race as JSON has it, with ratios to the loop by hand, round by
    round."""
    for name, loss in losses.items():
        if abs(loss / losses[HAND] - 1) > workload.agreement:
            raise RaceError(
                f"{workload.name}: the first losses of {name}, {loss:.5g} in the mean, are not "
                f"those by hand, {losses[HAND]:.5g}: it trains something else"
            )
    by_hand = [it.seconds / it.steps for it in found[HAND]]
    compared = {}
    for name, rounds in found.items():
        seconds = [it.seconds / it.steps for it in rounds]
        ratios = [own / hand for own, hand in zip(seconds, by_hand, strict=True)]
        low, _, high = statistics.quantiles(ratios, n=4)
        compared[name] = {
            "step_us": round(statistics.median(seconds) * 1e6, 1),
            "ratio": round(statistics.median(ratios), 3),
            "quartiles": [round(low, 3), round(high, 3)],
            "rounds_us": [round(it * 1e6, 1) for it in seconds],
            "first_loss": round(losses[name], 6),
        }
        if waited := [it.waited / it.seconds for it in rounds if it.waited]:
            compared[name]["waiting"] = round(statistics.median(waited), 3)
    return {
        "name": workload.name,
        "title": workload.title,
        "goal": workload.goal,
        "steps": workload.steps,
        "contenders": compared,
    }
