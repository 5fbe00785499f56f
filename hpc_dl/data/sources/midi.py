"""MIDI files of the user's."""

from __future__ import annotations

from typing import Any

from hpc_dl.data.music import midi_folder
from hpc_dl.data.music.rolls import Pieces
from hpc_dl.data.music.source import MusicSource
from hpc_dl.jobspec.sources.midi import Midi


class MidiSource(MusicSource[Midi]):
    """The pieces of a folder."""

    @property
    def per_quarter(self) -> float:
        return self.options.frames_per_quarter

    def read(self) -> tuple[Pieces, dict[str, Any]]:
        files = midi_folder.find("data.path", self.options.path)
        pieces, notes = midi_folder.read_all("data.path", files, self.options.frames_per_quarter)
        return pieces, {"notes": notes}
