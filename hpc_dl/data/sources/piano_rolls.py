"""Piano rolls in a JSON file of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpc_dl.data.music import json_file
from hpc_dl.data.music.rolls import Pieces
from hpc_dl.data.music.source import MusicSource
from hpc_dl.jobspec.sources.piano_rolls import PianoRolls


class PianoRollSource(MusicSource[PianoRolls]):
    """The pieces of a file."""

    @property
    def per_quarter(self) -> float:
        return self.options.frames_per_quarter

    def read(self) -> tuple[Pieces, dict[str, Any]]:
        return json_file.read("data.path", Path(self.options.path)), {}
