"""Files of a run folder go to the store, under the names that they have there."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.rundir import RunDir

if TYPE_CHECKING:
    from mlflow import MlflowClient


class Upload:
    """Uploads to one MLflow run.

    What the store has already is replaced by the same, so a repetition does no harm.
    """

    def __init__(self, run: RunDir, client: MlflowClient, mlflow_id: str) -> None:
        self.run, self.client, self.mlflow_id = run, client, mlflow_id

    def file(self, path: str) -> None:
        """A file by its path in the run folder."""
        self._send(self.run.path / path, Path(path).parent)

    def environment(self, said: dict[str, Any]) -> None:
        """What a worker found on its node."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "environment.json")
            file.write_text(json.dumps(said, indent=2))
            self._send(file, Path())

    def checkpoints(self) -> None:
        """The newest checkpoint, and the best."""
        for kind, prefix in (("last", "step"), ("best", "best")):
            found = sorted(self.run.checkpoints.glob(f"{prefix}-*"))
            for path in sorted(found[-1].iterdir()) if found else []:
                self._send(path, Path("checkpoints", kind))

    def _send(self, path: Path, folder: Path) -> None:
        if path.is_file():
            place = folder.as_posix() if folder.parts else None
            self.client.log_artifact(self.mlflow_id, str(path), place)
