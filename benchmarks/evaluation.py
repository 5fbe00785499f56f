"""Evaluation of a small network, by hpcdl and by a plain loop that counts the accuracy alone.

They take turns in one process, which has the environment of a worker. What is counted is the time
of the processor, in which an evaluation neither waits nor shares.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks import turns
from benchmarks.contender import RaceError, Round
from benchmarks.workloads import EVALUATION, HAND, HPCDL, WORKLOADS
from hpc_dl.data import loading, sources
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.job_environment import allocator
from hpc_dl.planning.plan import Plan
from hpc_dl.run import records
from hpc_dl.train.build import build_engine
from hpc_dl.train.evaluate import evaluate, evaluation_batch
from hpc_dl.train.world import World
from tests.support.running import prepared

TITLE = "evaluation of 784-32-32-10: loss, accuracy, top-5, F1, AUROC; by hand accuracy alone"
GOAL, ROUNDS = 1.5, 100


def measure(root: Path) -> dict[str, Any]:
    """Return what both have taken, as JSON has it; the run folder of the network is in `root`."""
    root.mkdir()
    environment = {**os.environ, **allocator(0, os.environ), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.evaluation", str(root)]
    load = [round(os.getloadavg()[0], 1)]
    found = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    load.append(round(os.getloadavg()[0], 1))
    about = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "load": load}
    return {**json.loads(found.stdout), **about}


class Timed:
    """A contender that evaluates, again and again."""

    def __init__(self, work: Callable[[], float]) -> None:
        self._work, self.loss = work, 0.0

    def begin(self) -> None:
        self.loss = self._work()

    def round(self, warm: int, steps: int) -> Round:
        for _ in range(warm):
            self._work()
        began = time.thread_time()
        for _ in range(steps):
            self._work()
        return Round(steps, time.thread_time() - began)

    def close(self) -> None:
        """Nothing is left."""


def _measured(root: Path) -> dict[str, Any]:
    torch.set_flush_denormal(True)
    (workload,) = (it for it in WORKLOADS if it.name == "small")
    spec = JobSpec.model_validate(workload.job())
    plan = records.load(prepared(root, spec).plan, Plan)
    splits = loading.load(sources.build(spec.data, Path(plan.data_root), Path()), plan.workers)
    world = World(0, 1, torch.device("cpu"))
    engine = build_engine(spec, plan, splits, world, Path(), lambda _: 0.0)
    nets, split, size = engine.evaluation_nets, splits.validation, evaluation_batch(spec, plan)
    image, label, network = split.tensors["image"], split.tensors["label"], nets["model"]

    def own() -> float:
        measure = engine.architecture.measure
        metrics = evaluate(measure, nets, split, world, batch_size=size, seed=(0, 0))
        return metrics.compute()["accuracy"]

    @torch.no_grad()
    def by_hand() -> float:
        network.eval()
        right = torch.zeros((), dtype=torch.int64)
        for at in range(0, len(label), size):
            logits = network(image[at : at + size].float().div_(255))
            right += (logits.argmax(dim=1) == label[at : at + size]).sum()
        network.train()
        return int(right) / len(label)

    contenders = {HPCDL: Timed(own), HAND: Timed(by_hand)}
    for it in contenders.values():
        it.begin()
    accuracies = {name: it.loss for name, it in contenders.items()}
    if len(set(accuracies.values())) > 1:
        raise RaceError(f"{EVALUATION}: the accuracies differ: {accuracies}")
    found = turns.take(contenders, ROUNDS, steps=1)
    return {
        "name": EVALUATION,
        "title": TITLE,
        "goal": GOAL,
        "steps": 1,
        "job": workload.job(),
        "contenders": {
            name: {**turns.summary(taken), "accuracy": accuracies[name]}
            for name, taken in found.items()
        },
    }


if __name__ == "__main__":
    print(json.dumps(_measured(Path(sys.argv[1]))))
