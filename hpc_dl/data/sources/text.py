"""A text of the user's, or the opening of a play of Shakespeare's: Coriolanus (about 1608), act 1,
to the beginning of scene 4."""

from __future__ import annotations

from pathlib import Path

from hpc_dl.data.source import Staging
from hpc_dl.data.texts.running import RunningTextSource
from hpc_dl.jobspec.sources.text import Text

CORIOLANUS = Path(__file__).parent.parent / "coriolanus.txt"


class TextSource(RunningTextSource[Text]):
    """The text of a file, or of those in a folder."""

    def path(self) -> Path:
        return Path(self.options.path).expanduser() if self.options.path else CORIOLANUS

    def files(self) -> dict[str, Path]:
        return super().files() or {"coriolanus": CORIOLANUS}

    def staging(self) -> Staging:
        return Staging("data.path of the spec; else the opening of Coriolanus")
