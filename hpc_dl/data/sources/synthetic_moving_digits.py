"""Clips of moving digits, in memory, or made by workers while a rank trains. The digits of the
training, the validation and the test are different ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.data.source import Loaded, Source, Staging
from hpc_dl.data.sources.digits import DigitsSource
from hpc_dl.data.sources.mnist import MNISTSource
from hpc_dl.data.splits.counts import SPLITS, Holdout
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.jobspec.sources.digits import Digits
from hpc_dl.jobspec.sources.mnist import MNIST
from hpc_dl.jobspec.sources.synthetic_moving_digits import DIRECTIONS, SyntheticMovingDigits

if TYPE_CHECKING:
    from torch import Tensor

    from hpc_dl.data.streamed import Keys
    from hpc_dl.data.video.moving_digits import MovingDigits, Pixels


class SyntheticMovingDigitsSource(Source[SyntheticMovingDigits]):
    """Clips by their numbers, those of the training first."""

    @property
    def digits(self) -> DigitsSource | MNISTSource:
        """The source of the digits that move."""
        if self.options.digits == "mnist":
            return MNISTSource(MNIST(name="mnist"), self.data_root)
        return DigitsSource(Digits(name="digits"), self.data_root)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a clip: frames, channels, height and width."""
        return (self.options.frames, 1, self.options.side, self.options.side)

    def describe(self) -> DataFacts:
        self.digits.describe()  # refuses those that are not staged
        clips, classes = self._divide(self.options.clips), range(len(DIRECTIONS))
        counts = {
            name: tuple(sum(clip % len(DIRECTIONS) == it for clip in part) for it in classes)
            for name, part in clips.items()
        }
        sizes = len(clips["train"]), len(clips["validation"]), len(clips["test"])
        return DataFacts(
            "video",
            "classify",
            {"video": Feature("float", self.shape)},
            {"label": Feature("int", (), DIRECTIONS)},
            *sizes,
            class_counts=counts,
            drawn=(),
            synthetic=True,
            example_bytes=self.options.frames * self.options.side**2,
        )

    def load(self) -> Loaded:
        from hpc_dl.data.dataset import Split

        clips, makers = self._divide(self.options.clips), self._makers()
        splits = {}
        for name, part in clips.items():
            keys, labels = _numbers(part)
            splits[name] = Split({"video": makers[name].read(keys), "label": labels})
        return self.describe(), splits

    def stream(self, workers: int, *, check: bool = True) -> Loaded:
        import torch

        from hpc_dl.data.streamed import Reader, StreamedSplit

        clips, splits = self._divide(self.options.clips), {}
        for name, maker in self._makers().items():
            keys, labels = _numbers(clips[name])
            reader = Reader(maker, self.shape, torch.uint8, workers)
            splits[name] = StreamedSplit("video", keys, {"label": labels}, reader)
        return self.describe(), splits

    def files(self) -> dict[str, Path]:
        return self.digits.files()

    def staging(self) -> Staging:
        return Staging("made of the digits in scikit-learn", staged=True)

    def _divide(self, count: int) -> dict[str, range]:
        """Divide so many clips, or digits, among the splits."""
        held = Holdout.of(self.options).wanted(count)
        ends = (count - sum(held.values()), count - held["test"], count)
        if ends[0] < len(DIRECTIONS):
            raise UserError(
                f"data: with validation {self.options.validation:g} and test "
                f"{self.options.test:g}, no clip of every class is left to train on",
                hint="Lower them, or raise data.clips.",
            )
        return dict(zip(SPLITS, map(range, (0, *ends), ends), strict=True))

    def _makers(self) -> dict[str, MovingDigits]:
        """Return what makes the clips of each split, of its own digits."""
        import numpy as np

        from hpc_dl.data.video.moving_digits import MovingDigits

        it, pixels = self.options, self._pixels()
        order = np.random.default_rng(it.seed).permutation(len(pixels))
        return {
            name: MovingDigits(
                pixels[order[part.start : part.stop]], it.frames, it.side, it.distractors, it.seed
            )
            for name, part in self._divide(len(pixels)).items()
        }

    def _pixels(self) -> Pixels:
        """Read the digits, (N, 28, 28); smaller ones are enlarged."""
        import torch

        from hpc_dl.data.video.moving_digits import enlarged

        return enlarged(torch.cat([it["image"] for it in self.digits.read().values()]))


def _numbers(clips: range) -> tuple[Keys, Tensor]:
    """Return the keys and the classes of clips."""
    import torch

    numbers = torch.tensor(clips)
    return numbers.numpy(), numbers % len(DIRECTIONS)
