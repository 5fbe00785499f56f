"""What all sources of music share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, TypeVar

from hpc_dl.data.music import rolls
from hpc_dl.data.music.rolls import Pieces
from hpc_dl.data.source import Loaded, Source
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.music import MusicData

QUARTERS = 100 / 60
"""Quarter notes a second, for music that does not say."""
Options = TypeVar("Options", bound=MusicData)


class MusicSource(Source[Options]):
    """Pieces of music, of which examples are cut."""

    def describe(self) -> DataFacts:
        return self._facts(*self.read())

    def load(self) -> Loaded:
        pieces, more = self.read()
        return self._facts(pieces, more), rolls.splits(pieces, self.options.length)

    @property
    @abstractmethod
    def per_quarter(self) -> float:
        """Frames of a quarter note."""

    @abstractmethod
    def read(self) -> tuple[Pieces, dict[str, Any]]:
        """Return the pieces of each split, and further facts of them."""

    def _facts(self, pieces: Pieces, more: dict[str, Any]) -> DataFacts:
        return rolls.facts(pieces, self.options, self.per_quarter * QUARTERS, **more)
