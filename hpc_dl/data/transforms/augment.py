"""Augmentation of a batch on its device: a function of a key, without state."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hpc_dl.data.dataset import Batch, to_device
from hpc_dl.data.sampler import coins_of_examples, mix_seed
from hpc_dl.jobspec.data import Augment
from hpc_dl.jobspec.facts import Modality


class Augmentation:
    """Random crops, flips, rotations, noise and mixup, drawn for each example."""

    def __init__(self, options: Augment, kind: Modality, device: torch.device) -> None:
        self.options = options
        self.kind = kind
        self.generator = torch.Generator(device)

    def of(self, batches: Iterable[Batch], key: tuple[int, ...], epoch: int = 0) -> Iterator[Batch]:
        """The batches of one step, augmented in turn, with random numbers that follow from `key`,
        whose first is the seed.

        Music is transposed, with the frames that follow.

        An `image` (B, C, H, W), `sequence` (B, T, F) or `table` (B, columns) keeps its shape, and
        an image stays in [0, 1]; all else is as it was, but that after mixup `target` is mixed,
        too, and an example has two labels: `label` with the mixing coefficient `lam` (B,), and
        `other_label` with 1 - `lam`.
        """
        self.generator.manual_seed(mix_seed(*key))
        for number, batch in enumerate(batches):
            if self.options.transpose:
                yield self._transpose(batch)
                continue
            changed = {**batch, self.kind: self._augment(batch, key[0], epoch)}
            yield self._mix(changed, mix_seed(*key, number)) if self.options.mixup else changed

    def _augment(self, batch: Batch, seed: int, epoch: int) -> Tensor:
        example = batch[self.kind]
        if self.options.crop:
            example = self._crop(example, self.options.crop)
        if self.options.flip:
            alternate = self.options.flip == "alternate"
            mirrored = (
                _alternate(batch["index"], seed, epoch) if alternate else self._coins(example)
            )
            example = torch.where(mirrored, example.flip(-1), example)
        if self.options.rotation:
            example = self._rotate(example, math.radians(self.options.rotation))
        if self.options.noise:
            noise = torch.empty(example.shape, device=example.device)
            noise.normal_(0, self.options.noise, generator=self.generator)
            example = noise.add_(example)
            example = example.clamp_(0, 1) if self.kind == "image" else example
        return example

    def _transpose(self, batch: Batch) -> Batch:
        """Shift `music` and `next`, (B, T, 88), by as many keys as are drawn for each piece; what
        would leave the piano is lost."""
        music, most = batch["music"], self.options.transpose
        shift = torch.randint(
            -most, most + 1, (len(music), 1, 1), generator=self.generator, device=music.device
        )
        keys = torch.arange(music.shape[2], device=music.device) - shift
        lost = (keys < 0) | (keys >= music.shape[2])
        origin = keys.clamp(0, music.shape[2] - 1).expand_as(music)
        changed = {
            name: batch[name].gather(2, origin).masked_fill(lost, 0) for name in ("music", "next")
        }
        return {**batch, **changed}

    def _crop(self, image: Tensor, border: int) -> Tensor:
        """Crop each picture at random out of itself with a black border."""
        count, _, height, width = image.shape
        # All windows of the old size, as a view: (B, C, tops, lefts, H, W).
        windows = F.pad(image, [border] * 4).unfold(2, height, 1).unfold(3, width, 1)
        top, left = torch.randint(
            2 * border + 1, (2, count), generator=self.generator, device=image.device
        )
        return windows[torch.arange(count, device=image.device), :, top, left]

    def _rotate(self, image: Tensor, most: float) -> Tensor:
        """Rotate each picture about its centre by a random angle, in radians."""
        device = image.device
        angle = torch.rand(len(image), generator=self.generator, device=device) * 2 * most - most
        cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        # In coordinates from -1 to 1 along either side, which may differ in length.
        height, width = image.shape[-2:]
        rows = [cos, -sin * height / width, zero, sin * width / height, cos, zero]
        turn = torch.stack(rows, dim=1).view(-1, 2, 3)
        places = F.affine_grid(turn, list(image.shape), align_corners=False)
        return F.grid_sample(image, places, align_corners=False).clamp_(0, 1)

    def _mix(self, batch: Batch, seed: int) -> Batch:
        """Mix each example with another of the batch (mixup: Zhang et al., arXiv:1710.09412)."""
        example, alpha = batch[self.kind], self.options.mixup
        drawn = np.random.default_rng(seed).beta(alpha, alpha, len(example))
        lam = to_device(torch.from_numpy(drawn).to(example.dtype), example.device)
        other = torch.randperm(len(example), generator=self.generator, device=example.device)
        mixed = {**batch, self.kind: _interpolate(example[other], example, lam)}
        if "target" in batch:
            mixed["target"] = _interpolate(batch["target"][other], batch["target"], lam)
        if "label" in batch:
            mixed |= {"other_label": batch["label"][other], "lam": lam}
        return mixed

    def _coins(self, image: Tensor) -> Tensor:
        """Return (B, 1, 1, 1) fair coin flips."""
        shape = (len(image), 1, 1, 1)
        return torch.rand(shape, generator=self.generator, device=image.device) < 0.5


def _alternate(index: Tensor, seed: int, epoch: int) -> Tensor:
    """Return (B, 1, 1, 1), whether to mirror an example: at random in the first epoch, and in each
    one after it unless the one before did (Jordan, arXiv:2404.00498, section 3.6)."""
    return (coins_of_examples(index, seed) ^ (epoch % 2 == 1)).view(-1, 1, 1, 1)


def _interpolate(other: Tensor, own: Tensor, lam: Tensor) -> Tensor:
    """Return (B, ...): `lam` (B,) of `own` and 1 - `lam` of `other`."""
    return other.lerp(own, lam.view(-1, *[1] * (own.ndim - 1)))
