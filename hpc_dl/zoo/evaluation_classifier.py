"""A trained classifier that judges generated images: by the Fréchet distance of its features to
those of real ones (Heusel et al., arXiv:1706.08500), and by whether any class is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from hpc_dl.jobspec.generative import Generative
from hpc_dl.zoo.contract import Observed
from hpc_dl.zoo.trained import load

if TYPE_CHECKING:
    from torchmetrics import Metric


class Judge:
    """The classifier in an export folder. Its features are what goes into its last dense layer."""

    def __init__(self, folder: str) -> None:
        self.network = load(Path(folder)).nets["model"].requires_grad_(False)
        self.last = [it for it in self.network.modules() if isinstance(it, nn.Linear)][-1]

    def see(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, features) and class (B,) int64 of images (B, C, H, W)."""
        kept: list[Tensor] = []
        hook = self.last.register_forward_pre_hook(lambda _, given: kept.append(given[0]))
        try:
            logits = self.network.to(image.device)(image)
        finally:
            hook.remove()
        return kept[0].flatten(1), logits.argmax(dim=1)

    def measure(self, generated: Tensor, real: Tensor) -> Mapping[str, Observed]:
        """`frechet`, between generated and real images, and `rarest_class`, the smallest share of a
        class among the generated ones."""
        (ours, label), (theirs, _) = self.see(generated), self.see(real)
        return {
            "frechet": Observed(self.frechet, (ours, theirs)),
            "rarest_class": Observed(partial(_rarest_class, self.last.out_features), (label,)),
        }

    def frechet(self) -> Metric:
        from hpc_dl.tasks.metrics import Frechet

        return Frechet(self.last.in_features)

    def distance(self, first: Iterable[Tensor], second: Iterable[Tensor]) -> float:
        """The Fréchet distance between two sets of images, given in batches (B, C, H, W).

        Between two sets of real images it is the floor: what is left of sampling.
        """
        with torch.no_grad():
            sets = [torch.cat([self.see(it)[0] for it in images]) for images in (first, second)]
        metric: Any = self.frechet()
        metric.update(*sets)
        return float(metric.compute())


def judged(options: Generative, generated: Tensor, real: Tensor) -> Mapping[str, Observed]:
    """What the judge that the options name says of generated images; nothing without one."""
    return _judge(options.classifier).measure(generated, real) if options.classifier else {}


@cache
def _judge(folder: str) -> Judge:
    return Judge(folder)


def _rarest_class(classes: int) -> Metric:
    from hpc_dl.tasks.metrics import RarestClass

    return RarestClass(classes)
