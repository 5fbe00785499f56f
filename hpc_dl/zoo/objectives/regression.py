"""Regression: numbers are foretold, by least squares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hpc_dl.spec.data import DataFacts
from hpc_dl.spec.metrics import has_r2
from hpc_dl.vision import torchvision
from hpc_dl.zoo.contract import Batch, Headline, Loss, Objective, Observed, Picture
from hpc_dl.zoo.pictures import charts

if TYPE_CHECKING:
    from torchmetrics import Metric


class Regression(Objective):
    """Outputs are the numbers themselves, in their own units."""

    headline = Headline("loss", "min")

    def __init__(self, facts: DataFacts, deviation: Sequence[float] | None = None) -> None:
        self.facts = facts
        self.deviation = torch.tensor(deviation or [1.0] * facts.outputs)
        """Of the training targets: in its units errors of several targets are added up."""

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Squared error in units of the targets' variances, the mean over the targets."""
        self.deviation = self.deviation.to(outputs.device)
        error = ((outputs - batch["target"]) / self.deviation).square().mean(dim=1)
        return Loss(error.sum(), len(error))

    def measure(self, outputs: Tensor, batch: Batch) -> Mapping[str, Loss | Observed]:
        """The loss; the mean and the root mean squared error, in the targets' own units and the
        mean over them; and R², the share of the variance that is foretold."""
        target = batch["target"]
        measured: dict[str, Loss | Observed] = {
            "loss": self.loss(outputs, batch),
            "mae": Loss((outputs - target).abs().mean(dim=1).sum(), len(target)),
            "rmse": Observed(_rmse, (outputs, target)),
        }
        if has_r2(self.facts):
            measured["r2"] = Observed(_r2, (outputs, target))
        return measured

    def predict(self, outputs: Tensor) -> Mapping[str, Tensor]:
        return {"target": outputs}

    def draw(self, judged: Iterable[tuple[Tensor, Batch]]) -> Mapping[str, Picture]:
        """What was foretold against what is true, and by how much it was off."""
        pairs = [(outputs.cpu(), batch["target"].cpu()) for outputs, batch in judged]
        foretold, true = (torch.cat(column) for column in zip(*pairs, strict=True))
        names = self.facts.targets
        return {
            "foretold": charts.foretold(foretold, true, names),
            "residuals": charts.residuals(foretold - true, names),
        }


def _rmse() -> Metric:
    torchvision()  # which torchmetrics imports
    from torchmetrics.regression import MeanSquaredError

    return MeanSquaredError(squared=False)


def _r2() -> Metric:
    torchvision()
    from torchmetrics.regression import R2Score

    return R2Score()
