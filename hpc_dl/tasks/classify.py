"""Classification: cross-entropy, the metrics of the field, and what a person would look at."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.metrics import TOP
from hpc_dl.tasks.contract import Batch, Loss, MonitoredMetric, Observed, Picture, Task
from hpc_dl.tasks.pictures import charts
from hpc_dl.tasks.pictures.grids import grid
from hpc_dl.tasks.tables import Array, ClassTables
from hpc_dl.torchvision_compat import torchvision

if TYPE_CHECKING:
    from torchmetrics import Metric

    from hpc_dl.jobspec.job import Train

WORST = 32
"""How many of the most wrong images are shown."""


class Classification(Task):
    """Outputs are logits, one a class."""

    monitored = MonitoredMetric("accuracy", "max")

    def __init__(
        self, facts: DataFacts, options: Train | None, examples: Mapping[str, Tensor]
    ) -> None:
        super().__init__(facts, options, examples)
        self.tables = ClassTables(facts)
        self.smoothing = options.label_smoothing if options else 0.0
        self.weights = _class_weights(options, examples, facts.outputs) if options else None

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Cross-entropy in nats against labels smoothed by s (Szegedy et al., arXiv:1512.00567):
        (1 - s) of an example's share in its class, the rest over all classes alike.

        With weights each example counts as much as its class, and the mean is a weighted one.
        """
        label, weights = batch["label"], self._weights(outputs.device)
        total = self._cross_entropy(outputs, label, weights, batch.get("share"))
        count = self._count(label, weights, batch.get("share"))
        if "other_label" in batch:
            other, rest = batch["other_label"], 1 - batch["share"]
            total = total + self._cross_entropy(outputs, other, weights, rest)
            count = count + self._count(other, weights, rest)
        return Loss(total, count)

    def _weights(self, device: torch.device) -> Tensor | None:
        if self.weights is not None:
            self.weights = self.weights.to(device, non_blocking=True)
        return self.weights

    def _cross_entropy(
        self, logits: Tensor, label: Tensor, weights: Tensor | None, share: Tensor | None
    ) -> Tensor:
        each = "sum" if share is None else "none"
        nats = F.cross_entropy(
            logits, label, weights, reduction=each, label_smoothing=self.smoothing
        )
        return nats if share is None else (nats * share).sum()

    def _count(self, label: Tensor, weights: Tensor | None, share: Tensor | None) -> Tensor | int:
        if weights is None:
            return len(label) if share is None else share.sum()
        return weights[label].sum() if share is None else (weights[label] * share).sum()

    def measure(self, outputs: Tensor, batch: Batch) -> Mapping[str, Loss | Observed]:
        """The loss, accuracy and top-5 accuracy, and the macro averages, in which all classes count
        alike, of the F1 score and of the area under the curve of each class against the others;
        shares in [0, 1]."""
        label, classes = batch["label"], self.facts.outputs
        right = Loss((outputs.argmax(dim=1) == label).sum(), len(label))
        measured: dict[str, Loss | Observed] = {
            "loss": self.loss(outputs, batch),
            "accuracy": right,
            "f1_macro": Observed(partial(_f1, classes), (outputs, label)),
            "auroc_macro": Observed(partial(_auroc, classes), (outputs.softmax(dim=1), label)),
        }
        if classes > TOP:
            among = (outputs.topk(TOP).indices == label[:, None]).any(dim=1).sum()
            measured["top5"] = Loss(among, len(label))
        return measured

    def predict(self, outputs: Tensor) -> Mapping[str, Tensor]:
        probabilities = outputs.softmax(dim=1)
        return {"probabilities": probabilities, "label": probabilities.argmax(dim=1)}

    def decode(self, predicted: Mapping[str, Any]) -> Mapping[str, Array]:
        """Return the names of the classes, (N,) strings, if there is a `label`, (N,) integers."""
        label, names = predicted.get("label"), self.facts.classes
        if not isinstance(label, Tensor) or "class" in predicted:
            return {}
        if label.ndim != 1 or label.is_floating_point():
            return {}
        numbers = label.cpu().numpy()
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(names):
            return {}
        return {"class": np.array(names)[numbers]}

    def pictures(self, judged: Iterable[tuple[Tensor, Batch]]) -> Mapping[str, Picture]:
        """The confusion matrix, the curve of each class against the others, and, of images, those
        that the network is most wrong about."""
        kept, worst, names = [], _Worst(), self.facts.classes
        for outputs, batch in judged:
            chance, label = outputs.softmax(dim=1), batch["label"]
            shown = chance[:, : charts.MOST_CURVES]
            kept.append((chance.argmax(dim=1).cpu(), shown.cpu(), label.cpu()))
            if "image" in batch:
                worst.see(chance, batch)
        guesses, chances, labels = (torch.cat(column) for column in zip(*kept, strict=True))
        pictures = {
            "confusion": charts.confusion(guesses, labels, names),
            "roc": charts.receiver_operating_curves(chances, labels, names),
        }
        if worst.surprise is not None:
            pictures["most_wrong"] = worst.draw(names)
        return pictures


class _Worst:
    """The images whose class a network held for least likely, of all that it is shown."""

    def __init__(self) -> None:
        self.surprise: Tensor | None = None
        self.kept: dict[str, Tensor] = {}

    def see(self, chance: Tensor, batch: Batch) -> None:
        truth = batch["label"]
        new = {
            "surprise": 1 - chance.gather(1, truth[:, None])[:, 0],
            "image": batch["image"],
            "truth": truth,
            "guess": chance.argmax(dim=1),
        }
        if self.kept:
            new = {name: torch.cat([self.kept[name], value]) for name, value in new.items()}
        order = new["surprise"].argsort(descending=True, stable=True)[:WORST]
        self.kept = {name: value[order] for name, value in new.items()}
        self.surprise = self.kept["surprise"]

    def draw(self, names: Sequence[str]) -> Picture:
        pairs = zip(self.kept["guess"].tolist(), self.kept["truth"].tolist(), strict=True)
        cells = [names[a] if a == b else f"{names[a]}, not {names[b]}" for a, b in pairs]
        return grid(self.kept["image"], 8, "Images it is most wrong about", cells=cells)


def _class_weights(options: Train, examples: Mapping[str, Tensor], classes: int) -> Tensor | None:
    """Return how much an example of each class counts, (classes,); None where all count alike.

    `balanced` gives each class the same weight in sum, and the examples 1 on average.
    """
    if options.class_weights != "balanced":
        return None if options.class_weights is None else torch.tensor(options.class_weights)
    label = examples["label"]
    counts = torch.bincount(label, minlength=classes).clamp(min=1)
    return torch.tensor((len(label) / (classes * counts)).tolist())


def _f1(classes: int) -> Metric:
    from hpc_dl.tasks.metrics import ClassF1

    return ClassF1(classes, average="macro", validate_args=False)


def _auroc(classes: int) -> Metric:
    """The mean of the areas of those classes that have examples among those held out, and are not
    all of them: of others torchmetrics says 0, and means that, too."""
    torchvision()
    from torchmetrics.classification import MulticlassAUROC
    from torchmetrics.utilities import dim_zero_cat

    class OfClassesThere(MulticlassAUROC):
        def compute(self) -> Tensor:
            there = torch.bincount(dim_zero_cat(self.target), minlength=classes)
            areas: Tensor = super().compute()
            return areas[(there > 0) & (there < there.sum())].mean()

    # That a class has no example among those held out is no news here.
    warnings.filterwarnings("ignore", "No (positive|negative) samples in targets")
    warnings.filterwarnings("ignore", "Average precision score for one or more classes")
    return OfClassesThere(classes, average=None, validate_args=False)
