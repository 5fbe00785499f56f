"""Time series, cut into windows and the steps that follow them.

The parts follow each other in time: no step that is forecast in the validation or the test is seen
in the training. What comes before a window's forecast may be of the part before.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpc_dl.data.series import files
from hpc_dl.data.source import Loaded, Source, Staging
from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import DataFacts, Feature
from hpc_dl.jobspec.sources.series import Series

if TYPE_CHECKING:
    from hpc_dl.data.dataset import Split


class SeriesSource(Source[Series]):
    """Windows of series: `sequence` (B, window, series), and their `future` (B, horizon, series).

    Held-out windows have the seasonal-naive forecast, `seasonal`, as a baseline.
    """

    def describe(self) -> DataFacts:
        it, (names, _, notes) = self.options, self._read
        counts = {name: stop - start for name, (start, stop) in self._parts.items()}
        return DataFacts(
            "sequence",
            "forecast",
            inputs={"sequence": Feature("float", (it.window, len(names)), names)},
            targets={"future": Feature("float", (it.horizon, len(names)), names)},
            train=counts["train"],
            validation=counts["validation"],
            test=counts["test"],
            notes=notes,
            csv=it.of_csv,
        )

    def load(self) -> Loaded:
        parts = {name: self._split(name, *ends) for name, ends in self._parts.items()}
        return self.describe(), parts

    def files(self) -> dict[str, Path]:
        return super().files() or {"eeg": files.eeg_file()}

    def staging(self) -> Staging:
        return Staging("data.path of the spec; else the EEG in matplotlib", staged=True)

    @cached_property
    def _read(self) -> tuple[tuple[str, ...], Any, tuple[str, ...]]:
        return files.read(self.options)

    @cached_property
    def _parts(self) -> dict[str, tuple[int, int]]:
        """Of each part the first step of the first forecast, and the one after that of the last."""
        it, steps = self.options, len(self._read[1])
        test, validation = round(steps * it.test), round(steps * it.validation)
        ends = {
            "train": (it.window, steps - test - validation),
            "validation": (steps - test - validation, steps - test),
            "test": (steps - test, steps),
        }
        parts = {name: (start, stop - it.horizon + 1) for name, (start, stop) in ends.items()}
        for name, (start, stop) in parts.items():
            if stop <= start or start < it.window:
                raise UserError(
                    f"data.path: {steps} steps are too few: the {name} part gets no window of "
                    f"{it.window} steps with {it.horizon} to forecast",
                    hint="Take a shorter data.window or data.horizon, or other shares.",
                )
        return parts

    def _split(self, name: str, start: int, stop: int) -> Split:
        import torch

        from hpc_dl.data.dataset import Split

        it, values = self.options, self._read[1]
        length = it.window + it.horizon
        every = np.lib.stride_tricks.sliding_window_view(values, length, axis=0)
        windows = every[start - it.window : stop - it.window].transpose(0, 2, 1)
        tensors = {"sequence": windows[:, : it.window], "future": windows[:, it.window :]}
        if name != "train":
            steps = it.window - it.season + np.arange(it.horizon) % it.season
            tensors["seasonal"] = windows[:, steps]
        return Split({key: torch.from_numpy(part.copy()) for key, part in tensors.items()})
