"""Evaluation: exact metrics over a held-out split, however it is divided over ranks and batches."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hpc_dl.data.dataset import Split
from hpc_dl.data.sampler import held_out
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.plan import Plan
from hpc_dl.train.reproducibility import EVALUATION, seed_generators
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Batch, Loss, Nets, Observed

if TYPE_CHECKING:
    from torchmetrics import Metric

Measure = Callable[[Nets, Batch], Mapping[str, Loss | Observed]]
"""`measure` or `test` of an architecture."""


def evaluation_batch(spec: JobSpec, plan: Plan) -> int:
    """Return how many examples a rank evaluates at once."""
    if spec.train.micro_batch is not None:  # the user has asked for small parts
        return plan.micro_batch
    return max(plan.micro_batch, 256)


def evaluate(
    measure: Measure,
    nets: Mapping[str, nn.Module],
    split: Split,
    world: World,
    *,
    batch_size: int,
    seed: tuple[int, ...],
    metrics: EvaluationMetrics | None = None,
) -> EvaluationMetrics:
    """Measure this rank's share of `split`; `compute` of the result adds up over the ranks.

    `metrics` are those of other splits, to which this one is added.

    `nets` are unwrapped: DDP would wait for ranks whose share has fewer batches. All ranks measure
    the same number of batches nevertheless, because FSDP computes on all ranks together.
    """
    metrics = metrics or EvaluationMetrics(world)
    if not len(split):
        return metrics
    seed_generators(world.device, *seed, EVALUATION, world.rank)
    with evaluating(nets), torch.no_grad():
        batches = held_out(split, batch_size, world.rank, world.size, by_length=True)
        for _ in range(math.ceil(math.ceil(len(split) / world.size) / batch_size)):
            batch = next(batches, None)
            if batch is None:  # this rank's share is smaller than the others'
                one = split.batch(torch.zeros(1, dtype=torch.int64, device=split.device))
                metrics.update_empty(measure(nets, one))
            else:
                metrics.update(measure(nets, batch))
            world.progress.touch()
    return metrics


class EvaluationMetrics:
    """Sums and counts of means, and torchmetrics for what is not a mean."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sums: dict[str, tuple[Tensor | float, Tensor | float]] = {}
        self.metrics: dict[str, Metric] = {}

    def update(self, measured: Mapping[str, Loss | Observed]) -> None:
        """Add what was measured of a batch."""
        for name, value in measured.items():
            if isinstance(value, Observed):
                self._metric(name, value).update(*value.seen)
            else:
                total, count = self.sums.get(name, (0.0, 0.0))
                self.sums[name] = (total + value.total.double(), count + value.count)

    def update_empty(self, measured: Mapping[str, Loss | Observed]) -> None:
        """Create the metrics of a dummy batch, without adding anything."""
        for name, value in measured.items():
            if isinstance(value, Observed):
                if name not in self.metrics:
                    _update_empty(self._metric(name, value), value)
            else:
                self.update({name: Loss(value.total * 0, 0)})

    def _metric(self, name: str, observed: Observed) -> Metric:
        if name not in self.metrics:
            self.metrics[name] = observed.metric().to(self.world.device)
        return self.metrics[name]

    def compute(self) -> dict[str, float]:
        """Return the metrics over all ranks, on each of them; {} of an empty split, and NaN for a
        mean over nothing, like the accuracy of the notes of silence."""
        names = sorted(self.sums)
        totals = self.world.sums([part for name in names for part in self.sums[name]])
        warnings.filterwarnings("ignore", "The ``compute`` method of metric")  # of a rank without
        means = {
            name: total / count if count else math.nan
            for name, total, count in zip(names, totals[0::2], totals[1::2], strict=True)
        }
        return means | {name: float(metric.compute()) for name, metric in self.metrics.items()}


def _update_empty(metric: Metric, observed: Observed) -> None:
    """Let a metric learn the dtypes of its states, which the ranks gather, and nothing else."""
    metric.update(*observed.seen)
    states = metric.metric_state.items()
    lists = {name: [it[:0] for it in state] for name, state in states if isinstance(state, list)}
    metric.reset()
    for name, empty in lists.items():
        setattr(metric, name, empty)


class evaluating:  # noqa: N801  a context manager, written like a function
    """Put networks in evaluation mode for as long as the context lasts."""

    def __init__(self, nets: Mapping[str, nn.Module]) -> None:
        self.nets = nets

    def __enter__(self) -> None:
        for net in self.nets.values():
            net.eval()

    def __exit__(self, *_: object) -> None:
        for net in self.nets.values():
            net.train()
