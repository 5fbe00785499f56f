"""Files of a run folder go to the store, under the names that they have there."""

from __future__ import annotations

import errno
import json
import re
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir
from hpc_dl.tracking import description, model

if TYPE_CHECKING:
    from mlflow import MlflowClient

ENVIRONMENT = "environment.json"
"""What a worker found on its node, which the journal says."""
CHECKPOINTS = {"checkpoints/last": "step", "checkpoints/best": "best"}
"""The newest checkpoint and the best, by what their folders' names begin with."""
MODEL = model.NAME
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})
_MEANS_SOMETHING = re.compile(r"[%#?\\\x00-\x1f\x7f\ud800-\udfff]")
"""What an artifact's name must not hold: its path is a part of a URI."""


class Replaced(Exception):
    """A checkpoint that was removed in the middle of its upload, for there is a newer one."""


class Upload:
    """Uploads to one MLflow run.

    What the store has already is replaced by the same, so a repetition does no harm.
    """

    def __init__(self, run: RunDir, client: MlflowClient, mlflow_id: str) -> None:
        self.run, self.client, self.mlflow_id = run, client, mlflow_id

    def send(self, name: str) -> None:
        """Upload what goes by this name, or nothing where it is not there (any more).

        Raises whatever the artifact store raises.
        """
        if name == ENVIRONMENT:
            self.environment()
        elif name in CHECKPOINTS:
            self.checkpoint(name)
        elif name == MODEL:
            model.log(self.run, self.client, self.mlflow_id)
        else:
            self.file(name)

    def file(self, name: str) -> None:
        """Upload a file by its path in the run folder."""
        self._send(self.run.path / name, name)

    def environment(self) -> None:
        """Upload what the newest worker found on its node."""
        found: dict[str, Any] = {}
        for event, _, _ in journal.read(self.run.journal, kinds=("started",)):
            found = description.environment(event) or found
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, ENVIRONMENT)
            file.write_text(json.dumps(found, indent=2))
            self._send(file, ENVIRONMENT)

    def checkpoint(self, kind: str) -> None:
        """Upload the newest checkpoint, or the best."""
        found = sorted(self.run.checkpoints.glob(f"{CHECKPOINTS[kind]}-*"))
        for path in sorted(found[-1].iterdir()) if found else []:
            self._send(path, f"{kind}/{path.name}")
        if found and not found[-1].exists():
            raise Replaced("there is a newer one")

    def _send(self, path: Path, name: str) -> None:
        """Upload a file that is there, under a name that means nothing else in a URI."""
        if not _is_there(path):
            return
        stored = PurePosixPath(_MEANS_SOMETHING.sub(lambda found: f"_{ord(found[0]):02x}_", name))
        folder = stored.parent.as_posix() if stored.parent.parts else None
        try:
            if stored.name == path.name:
                self.client.log_artifact(self.mlflow_id, str(path), folder)
            else:
                with tempfile.TemporaryDirectory() as other:
                    link = Path(other, stored.name)
                    link.symlink_to(path.absolute())
                    self.client.log_artifact(self.mlflow_id, str(link), folder)
        except FileNotFoundError:
            if _is_there(path):
                raise


def _is_there(path: Path) -> bool:
    """Whether there is such a file; a file system that does not answer raises OSError."""
    try:
        return path.is_file()
    except ValueError:  # as of a zero in its name
        return False
    except OSError as error:
        if error.errno in _NOT_THERE:
            return False
        raise
