"""Learning-rate finder: a short trial, thrown away, in which the rate grows from step to step.

The rate is taken where the smoothed loss, of all players together, falls most steeply over its
logarithm (the range test of Smith, arXiv:1506.01186, and the choice that fastai made of it).
"""

from __future__ import annotations

import dataclasses
import gc
import itertools
import math
import sys
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from hpc_dl.data.dataset import Splits
from hpc_dl.data.sampler import Batches
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.plan import Plan
from hpc_dl.run import initial_weights, records
from hpc_dl.run.layout import DamagedFile, RunDir, write_json
from hpc_dl.tasks.pictures import figure
from hpc_dl.train import memory, memory_advice
from hpc_dl.train.build import build_engine
from hpc_dl.train.distribute import distribute
from hpc_dl.train.engine import Engine
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Picture

LOWEST, HIGHEST = 1e-6, 1.0
STEPS = 120
SMOOTHING = 0.9
DIVERGED = 4.0
"""The trial ends at a loss so many times the best."""


@dataclass(frozen=True)
class Trial:
    """Result of a trial: the chosen rate, and the smoothed loss at each rate."""

    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    rates: list[float]
    losses: list[float]


def trial_rate(step: int) -> float:
    """Return the learning rate of a trial step: from LOWEST to HIGHEST by equal factors."""
    return LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1))


def peak_rate(
    spec: JobSpec,
    plan: Plan,
    splits: Splits,
    batches: Batches,
    world: World,
    run: RunDir,
) -> float:
    """Return the peak learning rate of the job spec, or find it; the same on every rank.

    A later attempt uses the trial of an earlier one.
    """
    given = spec.train.optimizer.lr
    if given != "auto":
        return given
    known = world.gather_objects(_trial(run) if world.rank == 0 else None)[0]
    if known is None:
        known = _run_trial(spec, plan, splits, batches, world, run)
        gc.collect()  # a prepared network is referred to by nothing but itself
        memory.release()
        if world.rank == 0:
            write_json(run.learning_rate, dataclasses.asdict(known))
    return float(known.learning_rate)


def _run_trial(
    spec: JobSpec, plan: Plan, splits: Splits, batches: Batches, world: World, run: RunDir
) -> Trial:
    """Run a trial; its networks and optimizers are thrown away."""
    with memory.during(memory.BUILDING, world.device):
        initial = initial_weights.find(run)
        engine = build_engine(spec, plan, splits, world, run.code, trial_rate, initial)
    rates, losses = memory.explained(
        lambda: _try(engine, batches),
        lambda error: memory_advice.explain_step(error, engine, batches),
    )
    return Trial(steepest(rates, losses), rates, losses)


def _trial(run: RunDir) -> Trial | None:
    """Return the trial of an earlier attempt; a damaged one is run again, with the same result."""
    try:
        return records.find(run.learning_rate, Trial)
    except DamagedFile as error:
        sys.stderr.write(f"warning: {error.message}; the learning rate is found anew\n")
        return None


def _try(engine: Engine, batches: Batches) -> tuple[list[float], list[float]]:
    """Return rates and smoothed losses of an engine at step 0, trained with `trial_rate`.

    The same on every rank. The engine cannot be used afterwards.
    """
    distribute(engine, batches)
    engine.carry = None  # the trial begins anew with each batch
    rates: list[float] = []
    losses: list[float] = []
    smoothed, best = 0.0, math.inf
    for step, micro_batches in enumerate(batches.training_steps(0, STEPS)):
        if engine.train_step(micro_batches, batches.dummy_batch, report=False):
            break
        loss = sum(means["loss"] for means in engine.metrics.means().values())
        smoothed = SMOOTHING * smoothed + (1 - SMOOTHING) * loss
        rates.append(trial_rate(step))
        losses.append(smoothed / (1 - SMOOTHING ** (step + 1)))
        best = min(best, losses[-1])
        if losses[-1] > DIVERGED * best:
            break
    return rates, losses


def steepest(rates: list[float], losses: list[float]) -> float:
    """Return the rate, of those in geometric progression, after which the loss falls most."""
    falls = [after - before for before, after in itertools.pairwise(losses)]
    return rates[falls.index(min(falls))] if falls else LOWEST


def curve(run: RunDir) -> Picture | None:
    """Draw the trial of a run; None if there was none."""
    if (trial := _trial(run)) is None:
        return None
    from matplotlib.ticker import LogFormatter

    chosen, rates, losses = trial.learning_rate, trial.rates, trial.losses
    drawing, axis = figure(4.4, 3.0)
    axis.plot(rates, losses, color="#0072B2", linewidth=1.4, label="smoothed training loss")
    axis.axvline(chosen, color="#D55E00", linestyle="--", label=f"chosen: {chosen:.2g}")
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(LogFormatter())  # 1e-05: by default it is a formula
    axis.set_xlabel("learning rate", fontsize=8)
    axis.set_ylabel("loss", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.legend(fontsize=7)
    return Picture(drawing, "The learning rate's trial")
