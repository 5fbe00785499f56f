"""`python -m benchmarks.search [SEED ...]`: ASHA beside random search, on MNIST.

Both draw the same configurations of a small convolutional network, and train them by hpcdl's own
trainer and its own choice of what comes next: ASHA 27 trials of at most 9 epochs, random search as
many whole trainings as take about the same number of epochs. Runs pause and resume as in a sweep,
one after another in this process. What is compared is how many epochs in all it took until the
best validation loss of the random search was reached.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import machine, marked
from benchmarks.marked import Section
from hpc_dl.data import loading, sources
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.sweep import Sweep
from hpc_dl.planning.plan import Machine, Plan
from hpc_dl.planning.site import Site
from hpc_dl.run import layout
from hpc_dl.run.layout import RunDir, write_json
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.plan_job import plan_job
from hpc_dl.submission.prepare import prepare
from hpc_dl.sweep import outcome, space
from hpc_dl.sweep.asha import Asha
from hpc_dl.sweep.method import EveryTrial, Method, candidates
from hpc_dl.sweep.trial import Result, Trial, Unit
from hpc_dl.train import main as training

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "search.json"
SECTION = Section(ROOT / "docs" / "sweeps.md", "search", "benchmarks.search --page")
TRIALS, EPOCHS, WHOLE = 27, 9, 7
"""Trials of ASHA, epochs of a whole training, and trainings of the random search."""
PARAMETERS = {
    "train.optimizer.lr": {"log_uniform": [1e-4, 1.0]},
    "train.optimizer.momentum": {"uniform": [0.0, 0.95]},
    "model.dropout": {"uniform": [0.0, 0.6]},
    "model.kernel": [3, 5],
    "data.batch_size": [32, 64, 128],
}


@dataclass
class Search:
    """What a search has trained so far."""

    epochs: float = 0.0
    best: float = math.inf
    reached: list[tuple[float, float]] = dataclasses.field(default_factory=list)
    """After each part of a trial: the epochs in all, and the best validation loss."""

    def epochs_to(self, loss: float) -> float | None:
        """Return after how many epochs a loss was reached; None if it never was."""
        return next((epochs for epochs, best in self.reached if best <= loss), None)


def subset(folder: Path) -> Path:
    """Write 2000 images of MNIST to train with, 1000 others to validate, and 500 to test."""
    root = Path(os.environ["HPCDL_DATA"])
    mnist = JobSpec.model_validate(spec_values({"name": "mnist"}, 0)).data
    loaded = loading.load(sources.build(mnist, root, Path()), None, check=False)
    train, test = loaded.train.tensors, loaded.test.tensors
    images, labels = (train[name].numpy() for name in ("image", "label"))
    path = folder / "mnist.npz"
    np.savez(
        path,
        x=images[:2000],
        y=labels[:2000],
        vx=images[2000:3000],
        vy=labels[2000:3000],
        tx=test["image"][:500].numpy(),
        ty=test["label"][:500].numpy(),
    )
    return path


def spec_values(data: dict[str, str], seed: int) -> dict[str, object]:
    """Return the job spec that the trials change."""
    return {
        "name": "mnist",
        "model": {"name": "cnn", "channels": [8, 16], "hidden": [32]},
        "data": data,
        "train": {
            "epochs": EPOCHS,
            "seed": seed,
            "log_every": 1000,
            "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9},
        },
        "resources": {"cpus_per_task": 1},
    }


def search(method: Method, trials: list[Trial], spec: JobSpec, root: Path) -> Search:
    """Train what the method takes, one unit after another."""
    found, results, runs = Search(), dict[Unit, Result](), dict[int, RunDir]()
    trained: dict[int, float] = {}
    by_number = {it.number: it for it in trials}
    while unit := next(candidates(method, trials, results, results), None):
        run = runs.get(unit.trial) or _prepare(space.spec_of(spec, by_number[unit.trial]), root)
        runs[unit.trial] = run
        plan = Plan.from_json(layout.read_json(run.plan))
        pause = method.pause_after(unit)
        pause_at = pause * plan.steps_per_epoch if pause and pause < EPOCHS else None
        write_json(run.plan, dataclasses.replace(plan, pause_at=pause_at).to_json())
        rank = RankInfo(0, 1, 0, 1, f"{unit.trial}.{unit.rung}", str(unit.trial), unit.rung)
        training.run(run, rank, print)
        result = outcome.read(run, unit, "val/loss", "minimize", "")
        assert result is not None
        results[unit] = result
        now = result.step / plan.steps_per_epoch
        found.epochs += now - trained.get(unit.trial, 0.0)
        trained[unit.trial] = now
        found.best = min(found.best, math.inf if result.value is None else result.value)
        found.reached.append((found.epochs, found.best))
    return found


def _prepare(spec: JobSpec, root: Path) -> RunDir:
    run, scheduler = layout.create(root, spec.name), registry.get("local")
    plan = plan_job(
        scheduler,
        spec,
        Site(name="benchmark"),
        sources.build(spec.data, root, Path()).describe(),
        run_dir=run.path,
        run_root=root,
        data_root=root,
        machine=Machine(cpus=1, gpus=0),
    )
    prepare(run, spec, plan, root)
    return run


def compare(seed: int, folder: Path) -> dict[str, float | None]:
    """Search both ways from a seed; return the epochs and losses that they took."""
    data = {
        "name": "npz",
        "path": str(subset(folder)),
        "validation_inputs": "vx",
        "validation_labels": "vy",
        "test_inputs": "tx",
        "test_labels": "ty",
    }
    spec = JobSpec.model_validate(spec_values(data, seed))
    sweep = Sweep.model_validate(
        {"method": "random", "trials": TRIALS, "seed": seed, "parameters": PARAMETERS}
    )
    trials = space.trials(sweep)
    asha = Asha([it.number for it in trials], "minimize", 3, 1)
    whole = search(EveryTrial(), trials[:WHOLE], spec, folder / "random")
    parts = search(asha, trials, spec, folder / "asha")
    equal = min(best for epochs, best in parts.reached if epochs <= whole.epochs)
    return {
        "seed": seed,
        "random_best": whole.best,
        "random_epochs": whole.epochs,
        "random_reached_after": whole.epochs_to(whole.best),
        "asha_reached_after": parts.epochs_to(whole.best),
        "asha_best_at_equal_epochs": equal,
    }


HEAD = {
    "seed": "seed",
    "random_best": "best loss of random search",
    "random_epochs": "its epochs",
    "random_reached_after": "reached after",
    "asha_reached_after": "ASHA reaches it after",
    "asha_best_at_equal_epochs": "ASHA's best loss in as many",
}


def rows(found: list[dict[str, float | None]]) -> list[list[str]]:
    """Return the searches as a table, without its head."""
    cells = [[it[key] for key in HEAD] for it in found]
    return [["never" if it is None else f"{it:.3g}" for it in row] for row in cells]


def section(results: dict[str, Any]) -> str:
    """Return the table, in Markdown, of what was measured and how."""
    told = (
        "`python -m benchmarks.search`: a small convolutional network on 2000 images of MNIST, "
        f"validated on 1000; {TRIALS} trials of ASHA beside {WHOLE} whole trainings of {EPOCHS} "
        "epochs, the first of the same trials. Losses are of the validation; the cost is in epochs "
        "of training, of all trials together."
    )
    return "\n".join([told, "", *marked.table([*HEAD.values()], rows(results["searches"]))])


def show(found: list[dict[str, float | None]]) -> None:
    table = Table(*HEAD.values())
    for row in rows(found):
        table.add_row(*row)
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    parser.add_argument("--page", action="store_true", help="write the page of the committed ones")
    args = parser.parse_args()
    if args.page:
        SECTION.write(section(json.loads(RESULTS.read_text(encoding="utf-8"))))
        return
    found = []
    for seed in args.seeds:
        with tempfile.TemporaryDirectory() as folder:
            found.append(compare(seed, Path(folder)))
    args.output.write_text(
        json.dumps({"machine": machine.describe(), "searches": found}, indent=2) + "\n"
    )
    show(found)


if __name__ == "__main__":
    main()
