"""One copy on disk of a file that both a run folder and a local artifact store have: hard links.

They are files like others: each name can be removed, and a copy made without links is a whole one.
No file that is shared is ever written again: checkpoints and exports are replaced.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def local_folder(artifact_uri: str) -> Path | None:
    """Return the folder of artifacts on a disk; None where a server or a bucket has them."""
    from mlflow.utils.file_utils import local_file_uri_to_path
    from mlflow.utils.uri import is_local_uri

    return Path(local_file_uri_to_path(artifact_uri)) if is_local_uri(artifact_uri) else None


def share(source: Path, target: Path) -> bool:
    """Make `target` another name of the file `source`, in place of a former file.

    Return False where they are on different file systems, or on one without hard links. A former
    file is then removed: written to, it would change wherever else it is shared.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(source, temporary)
        temporary.replace(target)  # which leaves both names where they are one file already
    except OSError:
        with contextlib.suppress(OSError):
            target.unlink()
        return False
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return True
