"""Music that a seeded generator makes."""

from __future__ import annotations

from typing import Any

from hpc_dl.data.music import cadences
from hpc_dl.data.music.rolls import Pieces
from hpc_dl.data.music.source import MusicSource
from hpc_dl.data.source import Staging
from hpc_dl.jobspec.sources.synthetic_music import SyntheticMusic


class SyntheticMusicSource(MusicSource[SyntheticMusic]):
    """Cadences in random keys."""

    @property
    def per_quarter(self) -> float:
        return 1.0

    def read(self) -> tuple[Pieces, dict[str, Any]]:
        made = cadences.pieces(self.options.pieces, self.options.seed)
        return {"train": made}, {"synthetic": True}

    def staging(self) -> Staging:
        return Staging("made by a generator", staged=True, examples=self.options.pieces)
