"""Upload files of a run folder to the artifact store, under their paths in the run folder."""

from __future__ import annotations

import errno
import functools
import json
import re
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir
from hpc_dl.tracking import description, images, links, model, registry

if TYPE_CHECKING:
    from mlflow import MlflowClient

ENVIRONMENT = "environment.json"
"""The artifact with what a worker found on its node, taken from the journal."""
CHECKPOINTS = {"checkpoints/last": "step", "checkpoints/best": "best"}
"""The newest and the best checkpoint, with the prefixes of their folders' names."""
MODEL = model.NAME
_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})
_RESERVED = re.compile(r"[%#?\\\x00-\x1f\x7f\ud800-\udfff]")
"""Characters that an artifact's path, a part of a URI, must not hold."""


class Replaced(Exception):
    """A checkpoint was replaced by a newer one during its upload."""


class Upload:
    """Uploads files to one MLflow run; a repeated upload replaces the artifact by the same."""

    def __init__(
        self, run: RunDir, client: MlflowClient, mlflow_id: str, artifacts: Path | None = None
    ) -> None:
        """`artifacts` is the run's artifact folder, if it is on a disk of this machine."""
        self.run, self.client, self.mlflow_id = run, client, mlflow_id
        self.artifacts = artifacts

    def send(self, name: str) -> None:
        """Upload the file, checkpoint or model of this name; a missing one is skipped.

        Raises the errors of the artifact store.
        """
        if name == ENVIRONMENT:
            self.environment()
        elif name in CHECKPOINTS:
            self.checkpoint(name)
        elif name == MODEL:
            self.model()
        else:
            self.file(name)

    def file(self, name: str) -> None:
        """Upload a file by its path in the run folder; a picture also for the image grids."""
        self._send(self.run.path / name, name)
        if (found := images.find(name, has_validation=self._has_validation)) is not None:
            with images.written(self.run.path / name, found, self._times.get(name, 0)) as paths:
                for path in paths:
                    self._send(path, f"{images.FOLDER}/{path.name}")
            self.client.set_tag(self.mlflow_id, images.TAG, "True")

    def model(self) -> None:
        """Log the model, and register it where the job spec asks for that."""
        logged = model.log(self.run, self.client, self.mlflow_id)
        name = description.section(self.run, "tracking").get("register_as")
        if logged and name:
            registry.add_version(self.client, self.run, logged, name)

    @functools.cached_property
    def _times(self) -> dict[str, int]:
        """When each file was first journalled, in milliseconds since 1970.

        A file that is drawn again, or sent again, so replaces its image.
        """
        found: dict[str, int] = {}
        for event, _, _ in journal.read(self.run.journal, kinds=("artifact",)):
            found.setdefault(event["path"], description.timestamp_ms(event))
        return found

    @functools.cached_property
    def _has_validation(self) -> bool:
        return bool(description.facts(self.run).get("validation"))

    def environment(self) -> None:
        """Upload what the newest attempt found on its node."""
        found: dict[str, Any] = {}
        for event, _, _ in journal.read(self.run.journal, kinds=("started",)):
            found = description.environment(event) or found
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, ENVIRONMENT)
            file.write_text(json.dumps(found, indent=2))
            self._send(file, ENVIRONMENT)

    def checkpoint(self, kind: str) -> None:
        """Upload the newest checkpoint, or the best, with the shards of an FSDP one; link it where
        both are on one disk."""
        found = sorted(self.run.checkpoints.glob(f"{CHECKPOINTS[kind]}-*"))
        for path in filter(_is_file, sorted(found[-1].rglob("*")) if found else []):
            name = f"{kind}/{path.relative_to(found[-1])}"
            if not (self.artifacts and links.share(path, self.artifacts / name)):
                self._send(path, name)
        if found and not found[-1].exists():
            raise Replaced("a newer checkpoint has replaced it")

    def _send(self, path: Path, name: str) -> None:
        """Upload a file, if it exists, under its name with reserved characters replaced."""
        if not _is_file(path):
            return
        stored = PurePosixPath(_RESERVED.sub(lambda found: f"_{ord(found[0]):02x}_", name))
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
            if _is_file(path):
                raise


def _is_file(path: Path) -> bool:
    """Return whether the file exists; raises OSError if the file system does not answer."""
    try:
        return path.is_file()
    except ValueError:  # NUL in its name
        return False
    except OSError as error:
        if error.errno in _MISSING:
            return False
        raise
