"""Diffusion (DDPM: Ho, Jain and Abbeel, arXiv:2006.11239), sampled by DDIM (arXiv:2010.02502).

An image x_0 in [-1, 1] becomes noise by a chain q(x_t|x_{t-1}) = N(√(1 - β_t) x_{t-1}, β_t), so

    q(x_t|x_0) = N(√ᾱ_t x_0, 1 - ᾱ_t),    ᾱ_t = Π_{s≤t} (1 - β_s).

A U-Net (arXiv:1505.04597) ε_θ(x_t, t) learns to predict the noise, by mean squared error. An image
is sampled from noise over a few of the time steps t > s > ...,

    x̂_0 = (x_t - √(1 - ᾱ_t) ε) / √ᾱ_t,    x_s = √ᾱ_s x̂_0 + √(1 - ᾱ_s) ε,    ε = ε_θ(x_t, t).

ᾱ falls along a squared cosine (Nichol and Dhariwal, arXiv:2102.09672).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hpc_dl.tasks.pictures.grids import grid
from hpc_dl.zoo.contract import FARTHEST, Architecture, Batch, Loss, Measured, Nets, Picture
from hpc_dl.zoo.evaluation_classifier import evaluate_generated

SHOWN = 64
MOST_BETA = 0.999


@functools.cache
def alpha_bar(steps: int, device: torch.device) -> Tensor:
    """Return ᾱ of the time steps 1 to `steps`, (steps,): how much of an image's variance is left.

    The tensor is cached, and must not be changed.
    """
    time = torch.arange(steps + 1, dtype=torch.float64) / steps
    signal = torch.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2
    beta = (1 - signal[1:] / signal[:-1]).clamp(max=MOST_BETA)
    return torch.cumprod(1 - beta, dim=0).float().to(device, non_blocking=True)


class Block(nn.Module):
    """Residual block, (B, fan_in, H, W) to (B, fan_out, H, W): two convolutions with the time-step
    embedding added between them."""

    def __init__(self, fan_in: int, fan_out: int, embedding: int) -> None:
        super().__init__()
        self.before = nn.Sequential(
            nn.GroupNorm(8, fan_in), nn.SiLU(), nn.Conv2d(fan_in, fan_out, 3, padding=1)
        )
        self.level = nn.Linear(embedding, fan_out)
        self.after = nn.Sequential(
            nn.GroupNorm(8, fan_out), nn.SiLU(), nn.Conv2d(fan_out, fan_out, 3, padding=1)
        )
        self.past = nn.Identity() if fan_in == fan_out else nn.Conv2d(fan_in, fan_out, 1)

    def forward(self, image: Tensor, embedding: Tensor) -> Tensor:
        hidden = self.before(image) + self.level(embedding)[:, :, None, None]
        return self.past(image) + self.after(hidden)


class UNet(nn.Module):
    """Predicts the noise in images (B, C, H, W) at time steps (B,) int64: (B, C, H, W).

    Two resolutions, with skip connections from the way down to the way up.
    """

    def __init__(self, channels: int, width: int, blocks: int, patch: int) -> None:
        super().__init__()
        self.patch, self.width = patch, width
        pixels = channels * patch**2
        self.level = nn.Sequential(
            nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, 4 * width), nn.SiLU()
        )
        self.enter = nn.Conv2d(pixels, width, 3, padding=1)
        self.down = nn.ModuleList(Block(width, width, 4 * width) for _ in range(blocks))
        self.reduce = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.below = nn.ModuleList(Block(2 * width, 2 * width, 4 * width) for _ in range(3))
        self.enlarge = nn.Conv2d(2 * width, width, 3, padding=1)
        self.up = nn.ModuleList(Block(2 * width, width, 4 * width) for _ in range(blocks))
        self.leave = nn.Sequential(
            nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, pixels, 3, padding=1)
        )

    def forward(self, image: Tensor, t: Tensor) -> Tensor:
        """Return the noise; the sides of the image are padded to a multiple of the patch."""
        height, width = image.shape[-2:]
        padded = F.pad(image, [0, -width % self.patch, 0, -height % self.patch])
        embedding = self.level(time_step_embedding(t, self.width))
        hidden = self.enter(F.pixel_unshuffle(padded, self.patch))
        skipped = []
        for block in self.down:
            hidden = block(hidden, embedding)
            skipped.append(hidden)
        below = self.reduce(hidden)
        for block in self.below:
            below = block(below, embedding)
        hidden = self.enlarge(F.interpolate(below, size=hidden.shape[-2:]))
        for block in self.up:
            hidden = block(torch.cat([hidden, skipped.pop()], dim=1), embedding)
        return F.pixel_shuffle(self.leave(hidden), self.patch)[..., :height, :width]


def time_step_embedding(t: Tensor, width: int) -> Tensor:
    """Return time steps (B,) as sines and cosines (arXiv:1706.03762): (B, width)."""
    half = width // 2
    frequency = torch.exp(-math.log(10_000) * torch.arange(half, device=t.device) / half)
    angle = t[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)


class Diffusion(Architecture):
    """One player; its network is a `UNet`."""

    def networks(self) -> dict[str, nn.Module]:
        it = self.options
        return {"model": UNet(self.facts.shape[0], it.width, it.blocks, it.patch)}

    def add_noise(self, image: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Return x_t of images x_0 (B, C, H, W) in [-1, 1], at time steps (B,) from 0."""
        signal = alpha_bar(self.options.steps, image.device)[t][:, None, None, None]
        return signal.sqrt() * image + (1 - signal).sqrt() * noise

    def loss(self, nets: Nets, batch: Batch, player: str) -> Loss:
        """Return the mean squared error of the noise, at a random time step for each image."""
        image = 2 * batch["image"] - 1
        t = torch.randint(self.options.steps, (len(image),), device=image.device)
        noise = torch.randn_like(image)
        predicted = nets["model"](self.add_noise(image, t, noise), t)
        error = (predicted.float() - noise).square().flatten(1).mean(dim=1)
        return Loss(error.sum(), len(image))

    def measure(self, nets: Nets, batch: Batch) -> Mapping[str, Measured]:
        return {"loss": self.loss(nets, batch, "model")}

    def test(self, nets: Nets, batch: Batch) -> Mapping[str, Measured]:
        """Return the loss, and how good as many generated images are as there are real ones."""
        measured = self.measure(nets, batch)
        if self.options.classifier is None:
            return measured  # sampling images takes long
        generated = self.sample(nets, torch.randn_like(batch["image"]))[-1]
        return {**measured, **evaluate_generated(self.options, generated, batch["image"])}

    @property
    def monitored(self) -> None:
        """None, so that the last weights are kept: predicting the noise better makes no better
        images."""

    def artifacts(
        self, nets: Nets, sample: Batch, held_out: Iterable[Batch]
    ) -> Mapping[str, Picture]:
        """Return samples, from the same noise throughout a run, and some of their stages."""
        device = sample["image"].device
        noise = torch.randn(SHOWN, *self.facts.shape, generator=torch.Generator().manual_seed(0))
        states = self.sample(nets, noise.to(device))
        stages = torch.linspace(0, len(states) - 1, 8).round().int().tolist()
        way = torch.stack([states[stage][:4] for stage in stages], dim=1).flatten(0, 1)
        return {
            "samples": grid(states[-1], 8, "Samples from the same noise", generated=True),
            "way": grid(way, 8, "From noise to an image", generated=True),
        }

    def sample(self, nets: Nets, noise: Tensor) -> list[Tensor]:
        """Return noise (B, C, H, W) and the states after each sampling step, in [0, 1]; the last
        one is the image."""
        signal = alpha_bar(self.options.steps, noise.device)
        time_steps = (
            torch.linspace(self.options.steps - 1, 0, self.options.sampling_steps).round().int()
        )
        state, states = noise, [noise]
        for number, t in enumerate(time_steps.tolist()):
            predicted = nets["model"](state, torch.full(noise.shape[:1], t, device=noise.device))
            image = (state - (1 - signal[t]).sqrt() * predicted) / signal[t].sqrt()
            image = image.clamp(-1, 1)
            if number + 1 == len(time_steps):
                state = image
            else:
                predicted = (state - signal[t].sqrt() * image) / (1 - signal[t]).sqrt()
                after = signal[time_steps[number + 1]]
                state = after.sqrt() * image + (1 - after).sqrt() * predicted
            states.append(state)
        return [((it + 1) / 2).clamp(0, 1) for it in states]

    def inputs(self, sample: Batch) -> Batch:
        """Return noise (B, C, H, W), standard normal, of which images are made."""
        return {"noise": torch.randn_like(sample["image"])}

    def random_inputs(self, count: int, generator: torch.Generator) -> Batch:
        return {"noise": torch.randn(count, *self.facts.shape, generator=generator)}

    def ranges(self) -> Mapping[str, tuple[float, float]]:
        return {"noise": (-FARTHEST, FARTHEST)}

    def predict(self, nets: Nets, batch: Batch) -> Mapping[str, Tensor]:
        return {"image": self.sample(nets, batch["noise"])[-1]}
