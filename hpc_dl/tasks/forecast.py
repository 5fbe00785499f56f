"""Forecasting: quantiles of the next values of time series (Koenker and Bassett, Econometrica 46
(1978))."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.tasks.artifacts import Artifact
from hpc_dl.tasks.contract import Batch, Loss, Measured, MonitoredMetric, Task
from hpc_dl.tasks.pictures import forecasts
from hpc_dl.tasks.statistics import deviation

if TYPE_CHECKING:
    from hpc_dl.jobspec.train import Train

QUANTILES = (0.1, 0.5, 0.9)
"""Of networks that were trained before there was an option."""


def quantiles_of(facts: DataFacts) -> tuple[float, ...]:
    """Return the quantiles that are forecast: the median, and the ends of bands around it."""
    return facts.targets["future"].quantiles or QUANTILES


class Forecasting(Task):
    """Outputs are quantiles in the units of the series, (B, horizon, series, quantiles)."""

    monitored = MonitoredMetric("loss", "min")

    def __init__(
        self, facts: DataFacts, options: Train | None, examples: Mapping[str, Tensor]
    ) -> None:
        super().__init__(facts, options, examples)
        self.quantiles = quantiles_of(facts)
        training = examples.get("future", torch.zeros(1, 1, facts.outputs))
        self.deviation = deviation(training.flatten(0, 1)).float()
        """Of the training values of each series, by which its errors are divided, so that those of
        several series can be added."""

    @property
    def outputs(self) -> int:
        horizon, series = self.facts.targets["future"].shape
        assert horizon is not None
        assert series is not None
        return horizon * series * len(self.quantiles)

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Return the quantile loss, in deviations of the series: the mean over quantiles, steps and
        series of max(q e, (q - 1) e), with e = y - ŷ."""
        self.deviation = self.deviation.to(outputs.device, non_blocking=True)
        error = (batch["future"][..., None] - outputs) / self.deviation[:, None]
        losses = [
            torch.maximum(q * e, (q - 1) * e)
            for q, e in zip(self.quantiles, error.unbind(-1), strict=True)
        ]
        return Loss(torch.stack(losses).mean(dim=(0, 2, 3)).sum(), len(error))

    def measure(self, outputs: Tensor, batch: Batch) -> Mapping[str, Measured]:
        """Return the loss; the MAE of the median, and of the naive and the seasonal-naive forecast,
        in the units of the series and averaged over them; and the coverage, the share of the values
        between the outermost quantiles, if there are several."""
        future, median = batch["future"], self._median(outputs)
        naive = batch["sequence"][:, -1:].expand_as(future)
        measured: dict[str, Measured] = {
            "loss": self.loss(outputs, batch),
            "mae": _mae(median, future),
            "mae_naive": _mae(naive, future),
        }
        if len(self.quantiles) > 1:
            inside = (outputs[..., 0] <= future) & (future <= outputs[..., -1])
            measured["coverage"] = _mean(inside.float())
        if "seasonal" in batch:
            measured["mae_seasonal_naive"] = _mae(batch["seasonal"], future)
        return measured

    def predict(self, outputs: Tensor) -> Mapping[str, Tensor]:
        """Return the `quantiles`, (B, horizon, series, quantiles), and the median as `forecast`,
        (B, horizon, series)."""
        return {"forecast": self._median(outputs), "quantiles": outputs}

    def _median(self, outputs: Tensor) -> Tensor:
        return outputs[..., self.quantiles.index(0.5)]

    def pictures(self, held_out: Iterable[tuple[Tensor, Batch]]) -> Mapping[str, Artifact]:
        """Return forecasts with their bands beside what came, of windows far apart."""
        rows = []
        for outputs, batch in held_out:
            rows += list(
                zip(
                    *(it.cpu() for it in (batch["sequence"], batch["future"], outputs)), strict=True
                )
            )
        names = self.facts.targets["future"].vocabulary
        return {"forecasts": forecasts.draw(rows, names, self.quantiles)}


def _mean(values: Tensor) -> Loss:
    """Return the mean of values (B, ...) over all but the examples, which are counted."""
    return Loss(values.flatten(1).mean(dim=1).sum(), len(values))


def _mae(forecast: Tensor, future: Tensor) -> Loss:
    return _mean((forecast - future).abs())
