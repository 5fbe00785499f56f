"""Forecasts in the units of the series, by a network that sees standardised ones."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from hpc_dl.tasks.statistics import Moments
from hpc_dl.zoo.layers.standardise import StandardisedSequences, Statistics


class Forecast(StandardisedSequences):
    """Windows (B, T, series) to quantiles (B, horizon, series, quantiles).

    The network sees standardised values, and its outputs are added to the last of them, so that it
    begins with the naive forecast. Quantiles are sorted, so that none crosses another (Chernozhukov
    et al., Econometrica 78 (2010)).
    """

    input = "sequence"

    def __init__(self, network: nn.Module, series: int, quantiles: int) -> None:
        super().__init__()
        self.network, self.units = network, Statistics([series])
        self.of_step = (series, quantiles)

    def fit(self, sequences: Iterable[tuple[Tensor, Tensor]]) -> None:
        self.units.fit(Moments.of_parts(values.flatten(0, 1) for values, _ in sequences))

    def forward(self, sequence: Tensor) -> Tensor:
        mean, deviation = self.units.mean.float(), self.units.deviation.float()
        standard = (sequence - mean) / deviation
        changes = self.network(standard).unflatten(1, (-1, *self.of_step))
        quantiles = (standard[:, -1, :, None][:, None] + changes).sort(dim=-1).values
        found: Tensor = quantiles * deviation[:, None] + mean[:, None]
        return found
