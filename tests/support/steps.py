"""A few steps of an engine without a run, on one rank or several: their losses.

Several ranks compute one spec after the other, for a start takes longer than the steps.
"""

import os
from pathlib import Path
from typing import Any

from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning import planner
from hpc_dl.planning.plan import Machine, Plan
from hpc_dl.planning.site import Site
from tests.support import ranks, reading

Losses = list[dict[str, float]]
STEPS = 3
RATE = 1e-4
"""Low, so that rounding differences do not grow."""


def job(**sections: Any) -> JobSpec:
    """A short job on the digits, with sections merged into it."""
    merged: dict[str, Any] = {
        "name": "division",
        "data": {"name": "digits", "batch_size": 15},
        "train": {"steps": STEPS},
        "resources": {"cpus_per_task": 1},
    }
    for key, value in sections.items():
        merged[key] = {**merged.get(key, {}), **value}
    return JobSpec.model_validate(merged)


def plan_of(spec: JobSpec, code: Path) -> Plan:
    """Return the plan of a spec on a machine with many cores."""
    root = Path(os.environ.get("HPCDL_DATA", "data")).resolve()
    facts = reading.describe(spec.data, root, code)
    here, run, machine = Site(name="test"), code / "run-1", Machine(cpus=64, gpus=0)
    folders = {"run_dir": run, "run_root": code, "data_root": root}
    return planner.make(spec, here, facts, backend="local", machine=machine, **folders)


def surroundings(spec: JobSpec, code: Path, world: Any = None) -> tuple[Any, ...]:
    """What an engine is built from: spec, plan, splits, batches and world; without one, one rank's
    on the CPU."""
    import torch

    from hpc_dl.train.build import build_batches
    from hpc_dl.train.world import World

    world = world or World(0, 1, torch.device("cpu"))
    plan = plan_of(spec, code)
    splits = reading.load(spec.data, Path(plan.data_root), code, None).to(world.device)
    return spec, plan, splits, build_batches(spec, plan, splits, world, code), world


def engine_of(spec: JobSpec, code: Path, world: Any = None) -> tuple[Any, Any]:
    """Return the engine of a spec, ready to step, and its batches."""
    from hpc_dl.train.build import build_engine
    from hpc_dl.train.distribute import distribute

    spec, plan, splits, batches, world = surroundings(spec, code, world)
    engine = build_engine(spec, plan, splits, world, code, lambda step: RATE)
    distribute(engine, batches)
    return engine, batches


def losses(spec: JobSpec, code: Path, world: Any = None) -> Losses:
    """Return the losses of each step by player; on one rank without a world."""
    return losses_of(*engine_of(spec, code, world))


def losses_of(engine: Any, batches: Any) -> Losses:
    """Return the losses of the next steps of an engine."""
    found = []
    for _, micro_batches in zip(range(STEPS), batches.steps(0), strict=False):
        engine.train_step(micro_batches, batches.dummy_batch, report=False)
        found.append({name: means["loss"] for name, means in engine.metrics.means().items()})
    return found


def on_ranks(specs: dict[str, JobSpec], code: Path, size: int) -> dict[str, Losses]:
    """Return the losses of every spec on `size` ranks."""
    return ranks.call_on_all(_losses_of_each, size, code, specs, code)


def _losses_of_each(world: Any, specs: dict[str, JobSpec], code: Path) -> dict[str, Losses]:
    return {name: losses(spec, code, world) for name, spec in specs.items()}
