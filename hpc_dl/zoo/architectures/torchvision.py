"""torchvision's classifiers (https://docs.pytorch.org/vision/stable/models.html, with the papers).

Grey images are repeated over three channels, each of which is standardised by its mean and
deviation in ImageNet (Deng et al., CVPR 2009), x ↦ (x - μ) / σ, as the published weights expect.
"""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hpc_dl.errors import UserError
from hpc_dl.torchvision_compat import torchvision
from hpc_dl.zoo.supervised import Supervised

IMAGENET = {"mean": (0.485, 0.456, 0.406), "deviation": (0.229, 0.224, 0.225)}
WITHOUT_AUXILIARY = {"aux_logits": False, "init_weights": True}
"""Arguments for networks with auxiliary classifiers, whose outputs a single loss has no use for."""


class Preprocessed(nn.Module):
    """Resizes and standardises images for a network: (B, 1 or 3, H, W) in [0, 1] to outputs."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module, size: int | None) -> None:
        super().__init__()
        self.network, self.size = network, size
        for name, values in IMAGENET.items():
            tensor = torch.tensor(values)[:, None, None]
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        if self.size:
            sides = [self.size, self.size]
            image = F.interpolate(image, sides, mode="bilinear", antialias=True)
        outputs: Tensor = self.network((image - self.mean) / self.deviation)
        return outputs


class Torchvision(Supervised):
    """Classifier of torchvision, by its name there."""

    def network(self) -> nn.Module:
        it, name = self.options, self.options.name.partition(":")[2]
        more = WITHOUT_AUXILIARY if name in ("googlenet", "inception_v3") else {}
        make = functools.partial(
            torchvision("models").get_model,
            name,
            weights=None,
            num_classes=self.facts.outputs,
            **more,
        )
        sides = (it.size, it.size) if it.size else self.facts.shape[-2:]
        check_sides(make, name, sides)
        network = make()
        if it.weights:
            load_weights(network, Path(it.weights))
        return Preprocessed(network, it.size)


def check_sides(make: Callable[[], nn.Module], name: str, sides: tuple[int, ...]) -> None:
    """Raise UserError if a network cannot take images of such sides; nothing is computed."""
    try:
        with torch.device("meta"):
            make().eval()(torch.empty(1, 3, *sides))
    except (RuntimeError, AssertionError) as error:
        height, width = sides
        raise UserError(
            f"torchvision:{name} does not take images of {height} x {width}: {error}",
            hint="model.size resizes them: 224 fits every one, 32 most.",
        ) from None


def load_weights(network: nn.Module, file: Path) -> None:
    """Load the weights in a file, but for those of the last layer if their shape differs.

    Raises UserError for a file without weights, or with those of another network.
    """
    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(f"model.weights: {file} cannot be read: {error}") from None
    if not isinstance(loaded, dict) or not all(isinstance(it, Tensor) for it in loaded.values()):
        raise UserError(
            f"model.weights: {file} holds no state dict",
            hint="Write one: torch.save(model.state_dict(), FILE).",
        )
    own = network.state_dict()
    head = list(own)[-1].rpartition(".")[0] + "."
    other = [name for name in own if name in loaded and own[name].shape != loaded[name].shape]
    kept = {name: own[name] for name in other if name.startswith(head)}
    unmatched = [name for name in {**own, **loaded} if name not in own.keys() & loaded.keys()]
    auxiliary = [name for name in unmatched if "aux" in name.lower()]
    wrong = [name for name in (*unmatched, *other) if name not in (*kept, *auxiliary)]
    if wrong:
        raise UserError(
            f"model.weights: {file} is of another network: {len(wrong)} of its names or shapes "
            f"differ, {wrong[0]} first"
        )
    network.load_state_dict({name: loaded.get(name, own[name]) for name in own} | kept)
