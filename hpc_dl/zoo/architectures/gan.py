"""Generative adversarial network (Goodfellow et al., arXiv:1406.2661), convolutional as in DCGAN
(Radford, Metz and Chintala, arXiv:1511.06434).

A generator makes images x̃ = G(z) of codes z ~ N(0, 1), and a critic D scores images. Each
minimises its own loss, per image:

    loss             critic                                            generator
    non-saturating   softplus(-D(x)) + softplus(D(x̃))                  softplus(-D(x̃))
    hinge            max(0, 1 - D(x)) + max(0, 1 + D(x̃))               -D(x̃)
    wasserstein-gp   D(x̃) - D(x) + λ (‖∇D(x̂)‖ - 1)²                    -D(x̃)

with x̂ = x + u (x̃ - x), u ~ U(0, 1), and softplus(-s) = -log σ(s). Hinge: Lim and Ye,
arXiv:1705.02894; gradient penalty: Gulrajani et al., arXiv:1704.00028.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hpc_dl.tasks.pictures.grids import grid
from hpc_dl.zoo.contract import (
    FARTHEST,
    Architecture,
    Batch,
    Loss,
    Measured,
    MonitoredMetric,
    Nets,
    Picture,
)
from hpc_dl.zoo.evaluation_classifier import evaluate_generated

Shape = tuple[int, ...]
SHOWN = 64
"""Number of codes, the same throughout a run, whose images are shown."""


class Generator(nn.Module):
    """Code (B, latent_dim) to image (B, C, H, W) in [0, 1], by convolutions that double the sides.

    Layer norm in the place of batch norm: an image depends on its own code alone.
    """

    def __init__(self, shape: Shape, channels: Sequence[int], latent_dim: int) -> None:
        super().__init__()
        self.shape = shape
        halvings = len(channels)
        start = (channels[-1], *(math.ceil(side / 2**halvings) for side in shape[1:]))
        layers: list[nn.Module] = [nn.Linear(latent_dim, math.prod(start)), nn.Unflatten(1, start)]
        for fan_in, fan_out in pairwise((*reversed(channels), shape[0])):
            layers += [nn.GroupNorm(1, fan_in), nn.ReLU()]
            layers += [nn.ConvTranspose2d(fan_in, fan_out, 4, stride=2, padding=1)]
        self.layers = nn.Sequential(*layers, nn.Sigmoid())

    def forward(self, code: Tensor) -> Tensor:
        _, height, width = self.shape
        image: Tensor = self.layers(code)
        return image[:, :, :height, :width]


class Critic(nn.Module):
    """Images (B, C, H, W) in [0, 1] to scores (B,), higher for those that look real.

    It takes several batches, so that one `forward` serves a whole loss. No normalisation layers:
    the gradient penalty is of each image by itself.
    """

    def __init__(self, shape: Shape, channels: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise((shape[0], *channels)):
            layers += [nn.Conv2d(fan_in, fan_out, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        features = channels[-1] * math.prod(side >> len(channels) for side in shape[1:])
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, 1), nn.Flatten(0))

    def forward(self, *images: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.layers(2 * it - 1) for it in images)


def critic_loss(name: str, real: Tensor, generated: Tensor) -> Tensor:
    """Return the critic's loss of scores (B,) each, without the penalty: (B,)."""
    if name == "non-saturating":
        return F.softplus(-real) + F.softplus(generated)
    if name == "hinge":
        return (1 - real).relu() + (1 + generated).relu()
    return generated - real


def generator_loss(name: str, generated: Tensor) -> Tensor:
    """Return the generator's loss of the critic's scores of its images: (B,) to (B,)."""
    return F.softplus(-generated) if name == "non-saturating" else -generated


def interpolate(real: Tensor, generated: Tensor) -> Tensor:
    """Return random points between real and generated images, (B, C, H, W), with gradients."""
    weight = torch.rand(len(real), 1, 1, 1, device=real.device)
    return torch.lerp(real, generated, weight).requires_grad_()


def gradient_norms(score: Tensor, image: Tensor) -> Tensor:
    """Return ‖∂score/∂image‖ of each image, differentiable: (B,) and (B, C, H, W) to (B,)."""
    (gradient,) = torch.autograd.grad(score.sum(), image, create_graph=True)
    return gradient.flatten(1).norm(dim=1)


class GenerativeAdversarial(Architecture):
    """Two players: the critic is updated in every step, the generator in every n-th."""

    players = ("critic", "generator")

    def networks(self) -> dict[str, nn.Module]:
        it, shape = self.options, self.facts.shape
        return {
            "critic": Critic(shape, it.channels),
            "generator": Generator(shape, it.channels, it.latent_dim),
        }

    def updates(self, step: int) -> Sequence[str]:
        return self.players if (step + 1) % self.options.critic_steps == 0 else ("critic",)

    def sample_codes(self, count: int, like: Tensor) -> Tensor:
        """Return random codes (count, latent_dim) on the device of `like`."""
        return torch.randn(count, self.options.latent_dim, device=like.device)

    def loss(self, nets: Nets, batch: Batch, player: str) -> Loss:
        real = batch["image"]
        code = self.sample_codes(len(real), real)
        if player == "critic":
            with torch.no_grad():
                generated = nets["generator"](code)
            return self._critic_loss(nets["critic"], real, generated)
        (score,) = nets["critic"](nets["generator"](code))
        return Loss(generator_loss(self.options.loss, score).sum(), len(score))

    def _critic_loss(self, critic: nn.Module, real: Tensor, generated: Tensor) -> Loss:
        it = self.options
        between = [interpolate(real, generated)] if it.loss == "wasserstein-gp" else []
        real_score, fake_score, *others = critic(real, generated, *between)
        loss = critic_loss(it.loss, real_score, fake_score)
        logs = {"score_real": real_score, "score_generated": fake_score}
        for score, image in zip(others, between, strict=True):
            norm = gradient_norms(score, image)
            loss = loss + it.penalty * (norm - 1) ** 2
            logs["gradient_norm"] = norm
        sums = {name: value.detach().sum() for name, value in logs.items()}
        return Loss(loss.sum(), len(real), sums)

    def measure(self, nets: Nets, batch: Batch) -> Mapping[str, Measured]:
        return self._metrics(nets, batch["image"], self._generate(nets, batch["image"]))

    def test(self, nets: Nets, batch: Batch) -> Mapping[str, Measured]:
        real = batch["image"]
        generated = self._generate(nets, real)
        evaluated = evaluate_generated(self.options, generated, real)
        return {**self._metrics(nets, real, generated), **evaluated}

    def _generate(self, nets: Nets, real: Tensor) -> Tensor:
        """Return as many images as there are real ones."""
        images: Tensor = nets["generator"](self.sample_codes(len(real), real))
        return images

    def _metrics(self, nets: Nets, real: Tensor, generated: Tensor) -> dict[str, Measured]:
        """Return scores and losses; `loss` is the critic's, without the penalty."""
        real_score, fake_score = nets["critic"](real, generated)
        values = {
            "loss": critic_loss(self.options.loss, real_score, fake_score),
            "generator_loss": generator_loss(self.options.loss, fake_score),
            "score_real": real_score,
            "score_generated": fake_score,
        }
        return {name: Loss(value.sum(), len(real)) for name, value in values.items()}

    @property
    def monitored(self) -> MonitoredMetric | None:
        return None  # the losses of the two say nothing of the images

    def artifacts(
        self, nets: Nets, sample: Batch, held_out: Iterable[Batch]
    ) -> Mapping[str, Picture]:
        generator, image = nets["generator"], sample["image"]
        codes = fixed_codes(SHOWN, self.options.latent_dim).to(image.device)
        return {
            "samples": grid(
                generator(codes), 8, "Generated images, always of the same codes", generated=True
            ),
            "walk": grid(
                generator(interpolate_codes(codes[:4], codes[4:8], 8)),
                8,
                "Walks from code to code",
                generated=True,
            ),
        }

    def inputs(self, sample: Batch) -> Batch:
        return {"code": self.sample_codes(len(sample["image"]), sample["image"])}

    def random_inputs(self, count: int, generator: torch.Generator) -> Batch:
        return {"code": torch.randn(count, self.options.latent_dim, generator=generator)}

    def ranges(self) -> Mapping[str, tuple[float, float]]:
        return {"code": (-FARTHEST, FARTHEST)}

    def predict(self, nets: Nets, batch: Batch) -> Mapping[str, Tensor]:
        return {"image": nets["generator"](batch["code"])}


def fixed_codes(count: int, latent_dim: int) -> Tensor:
    """Return codes (count, latent_dim), the same at each call."""
    return torch.randn(count, latent_dim, generator=torch.Generator().manual_seed(0))


def interpolate_codes(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Return codes from `start` (B, D) to `end` (B, D), (B * steps, D), code by code: along arcs,
    on which a code is as Gaussian as at the ends."""
    angle = torch.linspace(0, math.pi / 2, steps, device=start.device)[:, None]
    arcs = angle.cos() * start[:, None] + angle.sin() * end[:, None]
    return arcs.flatten(0, 1)
