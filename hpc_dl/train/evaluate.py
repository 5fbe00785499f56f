"""Evaluation: exact metrics over a held-out split, however it is divided over ranks and batches."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hpc_dl.data.dataset import Split
from hpc_dl.data.sampler import held_out
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.plan import Plan
from hpc_dl.train.reproducibility import EVALUATION, seed_generators
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Batch, Loss, Measured, Nets, Observed, OfExamples, OfSums

if TYPE_CHECKING:
    from torchmetrics import Metric

Measure = Callable[[Nets, Batch], Mapping[str, Measured]]
"""`measure` or `test` of an architecture."""
Column = Tensor | Sequence[str]
Score = Callable[..., Tensor | float]


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
            del batch  # before the next is made: there is room for one, in memory and in the cache
    return metrics


class EvaluationMetrics:
    """Metrics of all batches of a split: their sums, their examples, and torchmetrics."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.losses: dict[str, list[Loss]] = {}
        self.sums: dict[str, tuple[Score, Sequence[Tensor | float]]] = {}
        self.examples: dict[str, tuple[Score, list[Sequence[Column]]]] = {}
        self.metrics: dict[str, Metric] = {}

    def update(self, measured: Mapping[str, Measured]) -> None:
        """Add what was measured of a batch."""
        for name, value in measured.items():
            match value:
                case Loss():  # added up at the end, as each operation takes microseconds
                    self.losses.setdefault(name, []).append(value)
                case OfSums():
                    self._add(name, value.score, value.sums)
                case OfExamples():
                    self._append(name, value.score, value.columns)
                case Observed():
                    self._metric(name, value).update(*value.seen)

    def update_empty(self, measured: Mapping[str, Measured]) -> None:
        """Create the metrics of a dummy batch, without adding anything."""
        for name, value in measured.items():
            match value:
                case Loss():
                    self.losses.setdefault(name, [])
                case OfSums():
                    zeros = [torch.zeros_like(torch.as_tensor(it)) for it in value.sums]
                    self._add(name, value.score, zeros)
                case OfExamples():
                    self._append(name, value.score, [it[:0] for it in value.columns])
                case Observed() if name not in self.metrics:
                    _update_empty(self._metric(name, value), value)

    def _add(self, name: str, score: Score, parts: Sequence[Tensor | float]) -> None:
        parts = [it.double() if isinstance(it, Tensor) else it for it in parts]
        if name in self.sums:
            parts = [a + b for a, b in zip(self.sums[name][1], parts, strict=True)]
        self.sums[name] = score, parts

    def _append(self, name: str, score: Score, columns: Sequence[Column]) -> None:
        self.examples.setdefault(name, (score, []))[1].append(columns)

    def _metric(self, name: str, observed: Observed) -> Metric:
        if name not in self.metrics:
            self.metrics[name] = observed.metric().to(self.world.device)
        return self.metrics[name]

    def compute(self) -> dict[str, float]:
        """Return the metrics over all ranks, on each of them; {} of an empty split, and NaN for a
        mean over nothing, like the accuracy of the notes of silence."""
        warnings.filterwarnings("ignore", "The ``compute`` method of metric")  # of a rank without
        return {
            **self._of_sums(),
            **{name: self._of_examples(*found) for name, found in self.examples.items()},
            **{name: float(metric.compute()) for name, metric in self.metrics.items()},
        }

    def _of_sums(self) -> dict[str, float]:
        """Return metrics of sums, which the ranks add up with one transfer."""
        means = {name: (_mean, _totals(losses)) for name, losses in self.losses.items()}
        sums = sorted({**means, **self.sums}.items())
        parts = [
            torch.as_tensor(part, dtype=torch.float64, device=self.world.device)
            for _, (_, parts) in sums
            for part in parts
        ]
        if not parts:
            return {}
        flat = self.world.sum(torch.cat([it.flatten() for it in parts])).cpu()
        pieces = flat.split([it.numel() for it in parts])
        total = iter([it.view(part.shape) for it, part in zip(pieces, parts, strict=True)])
        return {
            name: float(score(*itertools.islice(total, len(parts))))
            for name, (score, parts) in sums
        }

    def _of_examples(self, score: Score, batches: Sequence[Sequence[Column]]) -> float:
        own = [_joined(column) for column in zip(*batches, strict=True)]
        ranks = self.world.gather_objects(own)
        return float(score(*(_joined(column) for column in zip(*ranks, strict=True))))


def _totals(losses: Sequence[Loss]) -> tuple[Tensor | float, Tensor | float]:
    """Return the sum of the losses of all batches in float64, and of their counts."""
    return _total([it.total for it in losses]), _total([it.count for it in losses])


def _total(parts: Sequence[Tensor | float]) -> Tensor | float:
    tensors = [it for it in parts if isinstance(it, Tensor)]
    total = sum(it for it in parts if not isinstance(it, Tensor))
    return torch.stack(tensors).double().sum() + total if tensors else total


def _mean(total: Tensor, count: Tensor) -> float:
    return float(total / count) if count else math.nan


def _joined(columns: Sequence[Column]) -> Column:
    """Return columns below each other, tensors on the CPU."""
    if isinstance(columns[0], Tensor):
        return torch.cat(columns).cpu()  # type: ignore[arg-type]
    return [it for column in columns for it in column]


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
