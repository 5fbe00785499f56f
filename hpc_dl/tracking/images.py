"""Pictures for MLflow's image grids: a name and a step, as `MlflowClient.log_image` writes them.

MLflow reads both from the names of files in the folder `images`, of a PNG and of a small WebP for
the grid (`log_image` in mlflow/tracking/client.py). That function gives each file a random name, so
that an upload that was killed and repeated would show a picture twice; here the name follows from
the run's file.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = "images"
TAG = "mlflow.loggedImages"
"""The tag that tells MLflow to look for images."""
_PATH = re.compile(r"artifacts/(?P<name>.+)/(?P<split>\w+-)?step-(?P<step>\d+)\.png")
_SMALL = 256
"""Pixels of the longer side in the grid."""


@dataclass(frozen=True)
class Image:
    """A picture by the name of its grid, and its step."""

    key: str
    step: int
    file: str
    """The path in the run folder."""


def find(path: str, *, has_validation: bool) -> Image | None:
    """Return the image of a file by its path in the run folder; None if it is no picture of a step.

    MLflow shows a grid `val/NAME` beside the curves of `val/`. A picture of the end is the only one
    of its name, and stands behind the curves, as test metrics do.
    """
    if (found := _PATH.fullmatch(path)) is None:
        return None
    split = "val/" if has_validation else "train/"
    prefix = found["split"].replace("-", "_") if found["split"] else split
    key = re.sub(r"[^a-zA-Z0-9_\-./ ]", "_", prefix + found["name"])
    return Image(key, int(found["step"]), path)


@contextlib.contextmanager
def written(picture: Path, image: Image, milliseconds: int) -> Iterator[list[Path]]:
    """Write both files of an image into a temporary folder; none if the picture cannot be read."""
    import PIL.Image

    key = image.key.replace("/", "~")
    which = uuid.uuid5(uuid.NAMESPACE_URL, image.file)
    stem = f"{key}+step+{image.step}+timestamp+{milliseconds}+{which}"
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder, f"{stem}.png"), Path(folder, f"{stem}+compressed.webp")
        try:
            with PIL.Image.open(picture) as opened:
                opened.thumbnail((_SMALL, _SMALL))
                opened.save(small)
            shutil.copyfile(picture, whole)
        except OSError:  # a user's own file, or one that was removed
            yield []
        else:
            yield [whole, small]
