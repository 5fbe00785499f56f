"""Two GPUs against one: the same losses, and metrics that are gathered over the ranks."""

from pathlib import Path
from typing import Any

import torch

from hpc_dl.tasks.metrics import auroc, frechet_distance, moments
from hpc_dl.train.evaluate import EvaluationMetrics
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import OfExamples, OfSums
from tests.gpu import machine
from tests.gpu.engines import Steps, alone, is_close
from tests.gpu.jobs import DETERMINISTIC, DIGITS, JOBS, KARATE
from tests.support import ranks

STEPS = 4

JOBS_TO_DIVIDE: dict[str, dict[str, Any]] = {
    "accumulation": {**DETERMINISTIC["ffnn"], "train": {"micro_batch": 7}},
    "batch normalisation": {**JOBS["resnet"], "train": {"sync_batch_norm": True}},
    "an uneven last batch": {**DETERMINISTIC["cnn"], "data": {**DIGITS, "batch_size": 1000}},
    "an empty rank": {**DETERMINISTIC["ffnn"], "data": {**DIGITS, "batch_size": 1}},
    "a graph": {**DETERMINISTIC["gcn"], "data": KARATE},
}


def on_two(function: Any, folder: Path, *arguments: Any) -> Any:
    """What a function returns on rank 0 of two, each of which has a GPU."""
    machine.needs(2)
    return ranks.call_on_all(function, 2, folder, *arguments, gpus=0 if machine.ON_CPU else 2)


def check_losses(folder: Path) -> str:
    """DDP on two GPUs gives the losses of one: with all that makes the ranks' shares differ."""
    divided = on_two(_losses_of_each, folder, JOBS_TO_DIVIDE, folder)
    for name, job in JOBS_TO_DIVIDE.items():
        whole = Steps(job, folder, alone()).losses(STEPS)
        assert is_close(divided[name], whole), f"{name}: {divided[name]} on two, {whole} on one"
    return ", ".join(JOBS_TO_DIVIDE)


def _losses_of_each(world: World, jobs: dict[str, Any], folder: Path) -> dict[str, list[float]]:
    return {name: Steps(job, folder, world).losses(STEPS) for name, job in jobs.items()}


def check_gradient_penalty(folder: Path) -> str:
    """The critic's gradient penalty trains on two GPUs, and leaves both with the same weights."""
    apart = on_two(_apart, folder, folder)
    assert apart == 0.0, f"the weights of two ranks are {apart} apart"
    return f"{STEPS} steps, the same weights on both"


def _apart(world: World, folder: Path) -> float:
    """How far the weights of two ranks are apart after a few steps."""
    steps = Steps(JOBS["wgan-gp"], folder, world)
    steps.take(STEPS)
    weights = [
        p.detach().flatten() for net in steps.engine.unwrapped.values() for p in net.parameters()
    ]
    mine = torch.cat(weights).double()
    assert mine.isfinite().all(), "the weights are not finite"
    mean = world.sum(mine.clone()) / world.size
    return float(world.sum((mine - mean).abs().max()))


def check_metrics(folder: Path) -> str:
    """The Fréchet distance and the area under the ROC curve are the same on two GPUs as on one."""
    divided, whole = on_two(_metrics, folder), _metrics(alone())
    for name, value in whole.items():
        assert is_close([divided[name]], [value]), f"{name}: {divided[name]} on two, {value} on one"
    return ", ".join(f"{name} {value:.4f}" for name, value in whole.items())


def _metrics(world: World) -> dict[str, float]:
    generator = torch.Generator().manual_seed(0)
    real, made = torch.randn(2, 100, 8, generator=generator).to(world.device)
    score, truth = torch.rand(100, generator=generator), torch.rand(100, generator=generator) > 0.5
    share = slice(world.rank, None, world.size)
    columns = score.to(world.device)[share], truth.to(world.device)[share]
    found = EvaluationMetrics(world)
    found.update(
        {
            "frechet": OfSums(frechet_distance, (*moments(made[share]), *moments(real[share]))),
            "auroc": OfExamples(auroc, columns),
        }
    )
    return found.compute()
