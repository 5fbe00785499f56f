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
from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.jobspec.sources.series import Series

if TYPE_CHECKING:
    from hpc_dl.data.dataset import Split

MOST_CHANGE = 1.25
"""A part that changes by so many times as much as the training is noted: of a normal distribution
a band for 80 % covers 69 % then."""


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
            targets={
                "future": Feature(
                    "float", (it.horizon, len(names)), names, quantiles=tuple(it.quantiles)
                )
            },
            train=counts["train"],
            validation=counts["validation"],
            test=counts["test"],
            notes=(*notes, *self._note_changes()),
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

    def _note_changes(self) -> tuple[str, ...]:
        """Note held-out parts that change more than what their bands are learnt on."""
        it, values = self.options, self._read[1]
        changes = {}
        for name, (start, stop) in self._parts.items():
            first, last = values[start - 1 : stop - 1], values[start - 1 + it.horizon :]
            changes[name] = np.abs(last[: len(first)] - first).mean(axis=0)
        train = changes.pop("train")
        if not (known := train > 0).any():
            return ()
        ratios = {name: np.mean(its[known] / train[known]) for name, its in changes.items()}
        shown = [
            f"{ratio:.2f} times as much in the {name}"
            for name, ratio in ratios.items()
            if ratio > MOST_CHANGE
        ]
        if not shown:
            return ()
        return (
            f"over {it.horizon} steps the series change {' and '.join(shown)} as in the training: "
            "bands that are learnt there are too narrow, and cover fewer values than they should",
        )

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
