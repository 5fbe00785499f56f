"""A trained classifier that evaluates generated images: by the Fréchet distance of its features to
those of real images (Heusel et al., arXiv:1706.08500), and by whether any class is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from hpc_dl.jobspec.image_models import Generative
from hpc_dl.tasks.metrics import frechet_distance, moments
from hpc_dl.zoo.contract import OfSums
from hpc_dl.zoo.trained import load


class EvaluationClassifier:
    """The classifier in an export folder. Its features are the inputs of its last dense layer."""

    def __init__(self, folder: str) -> None:
        self.network = load(Path(folder)).nets["model"].requires_grad_(False)
        self.last = [it for it in self.network.modules() if isinstance(it, nn.Linear)][-1]

    def classify(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (B, features) and class (B,) int64 of images (B, C, H, W)."""
        kept: list[Tensor] = []
        hook = self.last.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
        try:
            logits = self.network.to(image.device)(image)
        finally:
            hook.remove()
        return kept[0].flatten(1), logits.argmax(dim=1)

    def measure(self, generated: Tensor, real: Tensor) -> Mapping[str, OfSums]:
        """Return `frechet`, between generated and real images, and `rarest_class`, the smallest
        fraction of the generated ones that is of one class."""
        (fake_features, label), (real_features, _) = self.classify(generated), self.classify(real)
        counts = torch.bincount(label, minlength=self.last.out_features)
        both = *moments(fake_features), *moments(real_features)
        return {
            "frechet": OfSums(frechet_distance, both),
            "rarest_class": OfSums(_rarest_class, (counts,)),
        }

    def distance(self, first: Iterable[Tensor], second: Iterable[Tensor]) -> float:
        """Return the Fréchet distance between two sets of images, in batches (B, C, H, W).

        Between two sets of real images it is the floor: what is left of sampling.
        """
        with torch.no_grad():
            sets = [
                torch.cat([self.classify(it)[0] for it in images]) for images in (first, second)
            ]
        both = [torch.as_tensor(part) for features in sets for part in moments(features)]
        return float(frechet_distance(*both))


def evaluate_generated(
    options: Generative, generated: Tensor, real: Tensor
) -> Mapping[str, OfSums]:
    """Return metrics of generated images by the classifier that the options name; {} without."""
    return _load(options.classifier).measure(generated, real) if options.classifier else {}


@cache
def _load(folder: str) -> EvaluationClassifier:
    return EvaluationClassifier(folder)


def _rarest_class(counts: Tensor) -> Tensor:
    return counts.min() / counts.sum()
