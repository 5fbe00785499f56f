"""A folder of the user's own clips, a folder a class: in memory, or streamed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.data.class_folders import scan
from hpc_dl.data.class_folders.walk import shown
from hpc_dl.data.names import Names
from hpc_dl.data.source import Loaded, Source
from hpc_dl.data.splits.counts import Holdout, split_facts
from hpc_dl.data.video import clips
from hpc_dl.data.video.clips import FoundClips
from hpc_dl.errors import first_few
from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.jobspec.sources.clip_folder import ClipFolder

if TYPE_CHECKING:
    from torch import Tensor

    from hpc_dl.data.dataset import Split

SAMPLE = 32
"""Clips that are read before a submission, at even distances."""


class ClipFolderSource(Source[ClipFolder]):
    """The clips below `data.root`, which is searched once, however often they are asked for."""

    @cached_property
    def clips(self) -> FoundClips:
        """The clips by split. Raises UserError where the folder is not one of clips."""
        return clips.search(self.options.root)

    @property
    def root(self) -> Path:
        """The folder to which the names of the clips are relative."""
        return Path(self.options.root).expanduser()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a clip: frames, channels, height and width."""
        return (self.options.frames, self.options.channels, *self.options.size)

    def describe(self) -> DataFacts:
        from hpc_dl.data.video import reading

        every, found = list(self.clips), self.clips.found
        reading.read_all(every[:: -(-len(every) // SAMPLE)], self.options, keep=False)
        groups = scan.find_groups(self.options.groups, self.root, found)
        splits = split_facts(found.labels, found.classes, Holdout.of(self.options), groups)
        return DataFacts(
            "video",
            "classify",
            {"video": Feature("float", self.shape)},
            {"label": Feature("int", (), found.classes)},
            **splits,
            example_bytes=self.options.frames * self.options.channels * _area(self.options.size),
            notes=(*found.notes, *scan.note_pattern(self.options.groups), *self._of_frames()),
        )

    def load(self) -> Loaded:
        import numpy as np
        import torch

        from hpc_dl.data import validation
        from hpc_dl.data.dataset import Split
        from hpc_dl.data.video import reading

        pixels = torch.from_numpy(np.stack(reading.read_all(self.clips, self.options)))
        validation.refuse_constant(pixels, f"data.root: {self.root}")
        sizes = [len(files) for files in self.clips.found.files.values()]
        parts = zip(self.clips.found.files.items(), pixels.split(sizes), strict=True)
        return self._with_groups(
            {name: Split({"video": part, "label": _labels(its)}) for (name, its), part in parts}
        )

    def stream(self, workers: int, *, check: bool = True) -> Loaded:
        from hpc_dl.data import checked_files
        from hpc_dl.data.video import reading, streamed

        if check:
            checked_files.check_once(
                lambda: reading.read_all(self.clips, self.options, keep=False),
                f"clips {self.shape}",
                self.clips.files,
                self.data_root / "cache",
            )
        splits = {
            name: streamed.split(
                [self.clips.clips[path] for path, _ in its], _labels(its), self.options, workers
            )
            for name, its in self.clips.found.files.items()
        }
        return self._with_groups(splits)

    def files(self) -> dict[str, Path]:
        return {path.relative_to(self.root).as_posix(): path for path in self.clips.files}

    def names(self, splits: Mapping[str, Split]) -> Names:
        return Names("file", tuple(map(len, splits.values())), self.clips.found.paths, self.root)

    def _of_frames(self) -> tuple[str, ...]:
        """Note clips with fewer frames than are taken, or with frames at unequal steps."""
        short = sum(0 < len(it.frames) < self.options.frames for it in self.clips)
        uneven = [shown(it.path, self.root) for it in self.clips if it.is_uneven]
        said = {
            f"{short} clips have fewer than {self.options.frames} frames (data.frames), of which "
            "some are taken several times": short,
            "the numbers in the names of frames are at unequal steps, as if some were missing: "
            f"{first_few(uneven, 3)}": uneven,
        }
        return tuple(sentence for sentence, found in said.items() if found)

    def _with_groups(self, splits: Mapping[str, Split]) -> Loaded:
        import torch

        groups = scan.find_groups(self.options.groups, self.root, self.clips.found)
        if groups is not None:
            splits["train"].tensors["group"] = torch.from_numpy(groups)
        return self.describe(), splits


def _area(size: list[int]) -> int:
    return size[0] * size[1]


def _labels(files: list[tuple[Path, int]]) -> Tensor:
    import torch

    return torch.tensor([number for _, number in files])
