"""Regression: real numbers are predicted, by least squares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.metrics import has_r2
from hpc_dl.tasks.artifacts import Picture
from hpc_dl.tasks.contract import Batch, Loss, Measured, MonitoredMetric, OfSums, Task
from hpc_dl.tasks.pictures import charts
from hpc_dl.tasks.statistics import deviation, mean
from hpc_dl.tasks.tables import TargetTables

if TYPE_CHECKING:
    from hpc_dl.jobspec.train import Train

NEGLIGIBLE = 1e-4
"""A sum of squares, in units of the targets' variances, that may come from rounding."""


class Regression(Task):
    """Regression: outputs are the targets themselves, (B, targets), in their own units."""

    monitored = MonitoredMetric("loss", "min")
    rescaled = True

    def __init__(
        self, facts: DataFacts, options: Train | None, examples: Mapping[str, Tensor]
    ) -> None:
        super().__init__(facts, options, examples)
        self.tables = TargetTables(facts)
        training = examples.get("target", torch.zeros(1, facts.outputs))
        self.mean, self.deviation = mean(training), deviation(training)
        """Of the training targets. Errors are divided by the deviation, so that those of several
        targets can be added. The mean is subtracted, so that sums of squares keep their
        digits."""

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Return the squared error in units of the targets' variances, the mean over targets, or
        the loss that the job spec names, of standardised outputs and targets."""
        self.deviation = self.deviation.to(outputs.device, non_blocking=True)
        if self.criterion is not None:
            self.mean = self.mean.to(outputs.device, non_blocking=True)
            pair = (outputs, batch["target"])
            ours, true = (((it - self.mean) / self.deviation).float() for it in pair)
            return Loss(self.criterion(ours, true).sum(), len(true))
        error = ((outputs - batch["target"]) / self.deviation).float()
        return Loss(error.square().mean(dim=1).sum(), len(error))

    def measure(self, outputs: Tensor, batch: Batch) -> Mapping[str, Measured]:
        """Return the loss, MAE and RMSE, in the targets' own units and averaged over them, and
        R²."""
        target = batch["target"].double()
        self.mean = self.mean.to(outputs.device)
        ours, true = outputs - self.mean, target - self.mean
        measured: dict[str, Measured] = {
            "loss": self.loss(outputs, batch),
            "mae": Loss((outputs - target).abs().mean(dim=1).sum(), len(target)),
            "rmse": OfSums(_rmse, ((ours - true).square().sum(), target.numel())),
        }
        if has_r2(self.facts):
            deviation = self.deviation.to(outputs.device)
            ours, true = ours / deviation, true / deviation
            parts = true.square(), true, (ours - true).square()
            measured["r2"] = OfSums(_r2, (*(it.sum(dim=0) for it in parts), len(target)))
        return measured

    def predict(self, outputs: Tensor) -> Mapping[str, Tensor]:
        return {"target": outputs}

    def pictures(self, held_out: Iterable[tuple[Tensor, Batch]]) -> Mapping[str, Picture]:
        """Return predictions against the truth, and the residuals."""
        pairs = [(outputs.cpu(), batch["target"].cpu()) for outputs, batch in held_out]
        predicted, true = (torch.cat(column) for column in zip(*pairs, strict=True))
        names = self.facts.target_names
        return {
            "predictions": charts.predictions(predicted, true, names),
            "residuals": charts.residuals(predicted - true, names),
        }


def _rmse(squares: Tensor, count: Tensor) -> Tensor:
    return (squares / count).sqrt()


def _r2(squares: Tensor, total: Tensor, residual: Tensor, count: Tensor) -> Tensor:
    """Return R², the mean over targets, of sums (targets,) of squares and of values, and of squared
    errors. Of a target that does not vary it is 0, or 1 where it is predicted exactly."""
    variation = squares - total * (total / count)
    constant = (residual <= NEGLIGIBLE).double()
    return torch.where(variation > NEGLIGIBLE, 1 - residual / variation, constant).mean()
