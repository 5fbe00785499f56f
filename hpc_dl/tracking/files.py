"""Which files of a run folder go to the store, and how."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.rundir import RunDir
from hpc_dl.tracking import store

if TYPE_CHECKING:
    from mlflow import MlflowClient


class Upload:
    """Uploads files to one MLflow run, under the names that they have in the run folder.

    What the store has already is replaced by the same, so a repetition does no harm.
    """

    def __init__(self, run: RunDir, client: MlflowClient, uri: str, mlflow_id: str) -> None:
        self.run, self.client, self.uri, self.mlflow_id = run, client, uri, mlflow_id

    def submission(self) -> None:
        """What is there before the run starts: spec, plan, script, provenance, the user's code."""
        run = self.run
        for path in (run.spec, run.plan, run.script, run.provenance, run.diff):
            if path.is_file():
                self._without_password(path)
        for path in sorted(run.code.rglob("*")):
            self.file(path, path.parent.relative_to(run.path))

    def artifact(self, path: str) -> None:
        """A picture or another thing to look at; `path` is relative to the run folder."""
        self.file(self.run.path / path, Path(path).parent)

    def environment(self, said: dict[str, Any]) -> None:
        """What a worker found on its node."""
        self._content("environment.json", json.dumps(said, indent=2).encode())

    def checkpoints(self) -> None:
        """The newest checkpoint, and the best."""
        for kind, prefix in (("last", "step"), ("best", "best")):
            found = sorted(self.run.checkpoints.glob(f"{prefix}-*"))
            for path in sorted(found[-1].iterdir()) if found else []:
                self.file(path, Path("checkpoints", kind))

    def file(self, path: Path, folder: Path) -> None:
        if path.is_file():
            place = folder.as_posix() if folder.parts else None
            self.client.log_artifact(self.mlflow_id, str(path), place)

    def _without_password(self, path: Path) -> None:
        secret, shown = self.uri.encode(), store.without_password(self.uri).encode()
        content = path.read_bytes()
        if secret != shown and secret in content:
            self._content(path.name, content.replace(secret, shown))
        else:
            self.file(path, Path())

    def _content(self, name: str, content: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, name)
            file.write_bytes(content)
            self.file(file, Path())
