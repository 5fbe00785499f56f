"""Random changes to the pictures of a batch, on its device: a function of a key, and no state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from hpc_dl.data.order import mix
from hpc_dl.data.split import Batch
from hpc_dl.spec.data import Augment


class Augmentation:
    """Crops, mirrors and disturbs pictures, each with random numbers of its own."""

    def __init__(self, options: Augment, device: torch.device) -> None:
        self.options = options
        self.generator = torch.Generator(device)

    def of(self, batches: Iterable[Batch], key: tuple[int, ...]) -> Iterator[Batch]:
        """The batches of one step, augmented in turn, with random numbers that follow from `key`.

        `image` (B, C, H, W) keeps its shape and stays in [0, 1]; all else is as it was.
        """
        self.generator.manual_seed(mix(*key))
        for batch in batches:
            yield {**batch, "image": self._augmented(batch["image"])}

    def _augmented(self, image: Tensor) -> Tensor:
        if self.options.crop:
            image = self._cropped(image, self.options.crop)
        if self.options.flip:
            image = torch.where(self._coins(image), image.flip(-1), image)
        if self.options.noise:
            noise = torch.empty(image.shape, device=image.device)
            noise.normal_(0, self.options.noise, generator=self.generator)
            image = noise.add_(image).clamp_(0, 1)
        return image

    def _cropped(self, image: Tensor, border: int) -> Tensor:
        """Each picture out of itself with a black border, at a place of its own."""
        count, _, height, width = image.shape
        # All windows of the old size, as a view: (B, C, tops, lefts, H, W).
        windows = F.pad(image, [border] * 4).unfold(2, height, 1).unfold(3, width, 1)
        top, left = torch.randint(
            2 * border + 1, (2, count), generator=self.generator, device=image.device
        )
        return windows[torch.arange(count, device=image.device), :, top, left]

    def _coins(self, image: Tensor) -> Tensor:
        """(B, 1, 1, 1): for each picture true or false, as likely."""
        shape = (len(image), 1, 1, 1)
        return torch.rand(shape, generator=self.generator, device=image.device) < 0.5
