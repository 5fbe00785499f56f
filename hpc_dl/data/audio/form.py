"""The form in which a network takes recordings, and what it refuses by a header alone. Light."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from hpc_dl.data.audio.faults import Refused
from hpc_dl.data.audio.wav import Header

FILE = "audio.json"
"""The asset of a run and an export that holds the form."""


@dataclass(frozen=True)
class AudioForm:
    """One channel, at a rate."""

    rate: int
    """Samples a second."""
    resamples: bool
    """Whether recordings of another rate are resampled, and not refused."""
    mixes: bool
    """Whether several channels are mixed, and not refused."""
    longest: int | None = None
    """The samples that are kept, from the beginning; all if None."""

    def refuse(self, header: Header) -> None:
        """Raise Refused for a recording that is not converted to this form."""
        if header.rate != self.rate and not self.resamples:
            raise Refused(
                f"{header.rate} samples a second, not {self.rate}",
                f"data.sample_rate: {self.rate} resamples all to one rate.",
            )
        if header.channels != 1 and not self.mixes:
            raise Refused(
                f"{header.channels} channels, not one",
                "data.mix: true mixes the channels of each recording.",
            )

    def length_of(self, header: Header) -> int:
        """Return how many samples a recording has in this form."""
        whole = self.whole_length_of(header)
        return whole if self.longest is None else min(whole, self.longest)

    def whole_length_of(self, header: Header) -> int:
        """Return how many samples it has before it is truncated."""
        return -(-header.samples * self.rate // header.rate)

    def to_json(self) -> str:
        """Return the form as the text of FILE."""
        return json.dumps(asdict(self))

    @classmethod
    def of_training(cls, assets: Path, rate: float) -> AudioForm:
        """Return the form that the assets of a run hold; where a user's own source has none, that
        of recordings at this rate."""
        file = assets / FILE
        if not file.is_file():
            return cls(round(rate), resamples=False, mixes=False)
        return cls(**json.loads(file.read_text()))
