"""Diffusion (DDPM: Ho, Jain and Abbeel, arXiv:2006.11239), sampled by DDIM (arXiv:2010.02502).

An image x_0 in [-1, 1] becomes noise by a chain q(x_t|x_{t-1}) = N(√(1 - β_t) x_{t-1}, β_t), so

    q(x_t|x_0) = N(√ᾱ_t x_0, 1 - ᾱ_t),    ᾱ_t = Π_{s≤t} (1 - β_s).

A U-Net (arXiv:1505.04597) ε_θ(x_t, t) learns which noise it was, by mean squared error. An image is
made from noise down a few of the levels t > s > ...,

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
from hpc_dl.zoo.contract import FARTHEST, Architecture, Batch, Loss, Nets, Observed, Picture
from hpc_dl.zoo.evaluation_classifier import judged

SHOWN = 64
MOST_BETA = 0.999


@functools.cache
def alpha_bar(steps: int, device: torch.device) -> Tensor:
    """ᾱ of the noise levels 1 to `steps`, (steps,): how much of an image's variance is left.

    To be read only: it is the same tensor whenever it is asked for.
    """
    time = torch.arange(steps + 1, dtype=torch.float64) / steps
    left = torch.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2
    beta = (1 - left[1:] / left[:-1]).clamp(max=MOST_BETA)
    return torch.cumprod(1 - beta, dim=0).float().to(device, non_blocking=True)


class Block(nn.Module):
    """Two convolutions, the noise level in between, beside the identity: (B, fan_in, H, W) to
    (B, fan_out, H, W)."""

    def __init__(self, fan_in: int, fan_out: int, level: int) -> None:
        super().__init__()
        self.before = nn.Sequential(
            nn.GroupNorm(8, fan_in), nn.SiLU(), nn.Conv2d(fan_in, fan_out, 3, padding=1)
        )
        self.level = nn.Linear(level, fan_out)
        self.after = nn.Sequential(
            nn.GroupNorm(8, fan_out), nn.SiLU(), nn.Conv2d(fan_out, fan_out, 3, padding=1)
        )
        self.past = nn.Identity() if fan_in == fan_out else nn.Conv2d(fan_in, fan_out, 1)

    def forward(self, image: Tensor, level: Tensor) -> Tensor:
        hidden = self.before(image) + self.level(level)[:, :, None, None]
        return self.past(image) + self.after(hidden)


class UNet(nn.Module):
    """Which noise is in an image: (B, C, H, W) at levels (B,) int64 to (B, C, H, W).

    One level below, at half the side, it sees further; what was above is kept beside.
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
        """The noise; the sides of the image are filled up to a multiple of the patch."""
        height, width = image.shape[-2:]
        filled = F.pad(image, [0, -width % self.patch, 0, -height % self.patch])
        level = self.level(waves(t, self.width))
        hidden = self.enter(F.pixel_unshuffle(filled, self.patch))
        kept = []
        for block in self.down:
            hidden = block(hidden, level)
            kept.append(hidden)
        below = self.reduce(hidden)
        for block in self.below:
            below = block(below, level)
        hidden = self.enlarge(F.interpolate(below, size=hidden.shape[-2:]))
        for block in self.up:
            hidden = block(torch.cat([hidden, kept.pop()], dim=1), level)
        return F.pixel_shuffle(self.leave(hidden), self.patch)[..., :height, :width]


def waves(t: Tensor, width: int) -> Tensor:
    """Levels (B,) as sines and cosines (arXiv:1706.03762): (B, width)."""
    half = width // 2
    frequency = torch.exp(-math.log(10_000) * torch.arange(half, device=t.device) / half)
    angle = t[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)


class Diffusion(Architecture):
    """One player; its network is a `UNet`."""

    def networks(self) -> dict[str, nn.Module]:
        it = self.options
        return {"model": UNet(self.facts.shape[0], it.width, it.blocks, it.patch)}

    def noised(self, image: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """x_t of images x_0 (B, C, H, W) in [-1, 1], at levels (B,) from 0, for their noise."""
        left = alpha_bar(self.options.steps, image.device)[t][:, None, None, None]
        return left.sqrt() * image + (1 - left).sqrt() * noise

    def loss(self, nets: Nets, batch: Batch, player: str) -> Loss:
        """Mean squared error of the noise, over pixels, at a random level for each image."""
        image = 2 * batch["image"] - 1
        t = torch.randint(self.options.steps, (len(image),), device=image.device)
        noise = torch.randn_like(image)
        guess = nets["model"](self.noised(image, t, noise), t)
        error = (guess.float() - noise).square().flatten(1).mean(dim=1)
        return Loss(error.sum(), len(image))

    def measure(self, nets: Nets, batch: Batch) -> Mapping[str, Loss | Observed]:
        return {"loss": self.loss(nets, batch, "model")}

    def test(self, nets: Nets, batch: Batch) -> Mapping[str, Loss | Observed]:
        """The loss, and what the judge says of as many images as there are real ones."""
        measured = self.measure(nets, batch)
        if self.options.classifier is None:
            return measured  # for it takes long to make images
        made = self.states(nets, torch.randn_like(batch["image"]))[-1]
        return {**measured, **judged(self.options, made, batch["image"])}

    @property
    def monitored(self) -> None:
        """The last averaged weights: that the noise is foretold better makes no better image."""

    def artifacts(
        self, nets: Nets, sample: Batch, held_out: Iterable[Batch]
    ) -> Mapping[str, Picture]:
        """Samples, from the same noise throughout a run, and how some of them come about."""
        device = sample["image"].device
        noise = torch.randn(SHOWN, *self.facts.shape, generator=torch.Generator().manual_seed(0))
        states = self.states(nets, noise.to(device))
        stages = torch.linspace(0, len(states) - 1, 8).round().int().tolist()
        way = torch.stack([states[stage][:4] for stage in stages], dim=1).flatten(0, 1)
        return {
            "samples": grid(states[-1], 8, "Samples from the same noise", generated=True),
            "way": grid(way, 8, "From noise to an image", generated=True),
        }

    def states(self, nets: Nets, noise: Tensor) -> list[Tensor]:
        """Noise (B, C, H, W) and what becomes of it, step by step, as images in [0, 1]."""
        left = alpha_bar(self.options.steps, noise.device)
        levels = (
            torch.linspace(self.options.steps - 1, 0, self.options.sampling_steps).round().int()
        )
        state, states = noise, [noise]
        for number, level in enumerate(levels.tolist()):
            guess = nets["model"](state, torch.full((len(noise),), level, device=noise.device))
            image = (state - (1 - left[level]).sqrt() * guess) / left[level].sqrt()
            image = image.clamp(-1, 1)
            if number + 1 == len(levels):
                state = image
            else:
                guess = (state - left[level].sqrt() * image) / (1 - left[level]).sqrt()
                after = left[levels[number + 1]]
                state = after.sqrt() * image + (1 - after).sqrt() * guess
            states.append(state)
        return [((it + 1) / 2).clamp(0, 1) for it in states]

    def inputs(self, sample: Batch) -> Batch:
        """Noise (B, C, H, W), standard normal: each makes an image."""
        return {"noise": torch.randn_like(sample["image"])}

    def ranges(self) -> Mapping[str, tuple[float, float]]:
        return {"noise": (-FARTHEST, FARTHEST)}

    def predict(self, nets: Nets, batch: Batch) -> Mapping[str, Tensor]:
        return {"image": self.states(nets, batch["noise"])[-1]}
