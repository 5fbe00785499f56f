"""Energy of the node's processors, as RAPL counts it; most systems show it to root alone."""

from __future__ import annotations

import contextlib
from pathlib import Path


class ProcessorEnergy:
    """Joules since it was created, of all packages of the node, whoever used them."""

    def __init__(self, zones: Path = Path("/sys/class/powercap")) -> None:
        self._packages = [
            zone
            for zone in sorted(zones.glob("*rapl:*"))
            if _text(zone / "name").startswith("package")
        ]
        self._last = [_number(zone / "energy_uj") for zone in self._packages]
        self._microjoules = 0

    def sample(self) -> float | None:
        """Return the joules; None where the machine does not tell. The counters wrap within the
        hour, so this has to be called more often."""
        for number, zone in enumerate(self._packages):
            before, now = self._last[number], _number(zone / "energy_uj")
            if before is None or now is None:
                return None
            wrapped = now < before
            wrap = (_number(zone / "max_energy_range_uj") or 0) if wrapped else 0
            self._microjoules += now - before + wrap
            self._last[number] = now
        return self._microjoules / 1e6 if self._packages else None


def _text(file: Path) -> str:
    with contextlib.suppress(OSError):
        return file.read_text().strip()
    return ""


def _number(file: Path) -> int | None:
    text = _text(file)
    return int(text) if text.isdecimal() else None
