"""torch_geometric's data sets, processed in a cache: their staged folder may be shared and
read-only."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

from hpc_dl.data import library_source
from hpc_dl.data.faults import reading
from hpc_dl.data.graphs import geometric
from hpc_dl.data.source import Loaded
from hpc_dl.data.splits.counts import Holdout
from hpc_dl.jobspec.sources.torch_geometric import TorchGeometric


def load(source: TorchGeometric, data_root: Path) -> Loaded:
    """Return the nodes of a data set's one graph, or its graphs.

    Raises UserError where it is not staged.
    """
    from torch_geometric import datasets

    kind = library_source.find_class(source, datasets)
    library_source.refuse_others(source, "class or target for each node or graph of one type")
    kind = _offline(kind)
    own = data_root / "torch_geometric" / kind.__name__
    root = Path(source.root).expanduser() if source.root else own
    if library_source.has_option(kind, "root"):
        graphs = _processed(source, kind, root, data_root / "cache")
    else:
        graphs = _read(source, kind, root)
    return geometric.from_graphs(graphs, source.name, Holdout.of(source))


def _offline(kind: Any) -> Any:
    """Return the class with a `download` that raises; unchanged if it needs no files."""
    from torch_geometric.data import Dataset

    if kind.download is Dataset.download:
        return kind

    def download(dataset: Any) -> None:
        raise FileNotFoundError(f"not there are {', '.join(map(str, dataset.raw_file_names))}")

    return type(kind.__name__, (kind,), {"download": download})


def _processed(source: TorchGeometric, kind: Any, root: Path, cache: Path) -> list[Any]:
    """Return the graphs; their processed form is cached by a digest of the files."""
    kept = cache / f"{kind.__name__}-{_digest(source, root)}"
    if kept.is_dir():
        return _read(source, kind, root, kept)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs only time
        cache.mkdir(parents=True, exist_ok=True)
    above = cache if os.access(cache, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=above, ignore_cleanup_errors=True) as scratch:
        mirror = Path(scratch) / kind.__name__
        _link(root, mirror)
        graphs = _read(source, kind, root, mirror)
        if above:
            with contextlib.suppress(OSError):  # another run was faster
                mirror.rename(kept)
    return graphs


def _read(source: TorchGeometric, kind: Any, root: Path, at: Path | None = None) -> list[Any]:
    with reading("data.name", root, f"data set {source.name}"):
        return list(library_source.make_dataset(source, kind, root, at))


def _files(root: Path) -> list[Path]:
    return sorted(Path(place) / file for place, _, files in os.walk(root) for file in files)


def _digest(source: TorchGeometric, root: Path) -> str:
    """Return a digest of the files' sizes and times, and of the options of the data set."""
    digest = hashlib.sha256(source.model_dump_json(include={"name", "root"}).encode())
    digest.update(repr(sorted(source.options.items())).encode())
    for file in _files(root):
        state = file.stat()
        times = state.st_mtime_ns, state.st_ctime_ns  # `touch -r` and `cp -p` set only the first
        digest.update(repr((str(file), state.st_size, *times)).encode())
    return digest.hexdigest()[:32]


def _link(root: Path, mirror: Path) -> None:
    """Copy the folders, with links to the files."""
    mirror.mkdir()
    for file in _files(root):
        link = mirror / file.relative_to(root)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file.resolve())
