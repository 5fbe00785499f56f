"""Shards are read without running what is in them.

torch.distributed.checkpoint unpickles its table of contents, and what is not a tensor, whatever
these ask for. Whoever can write into a run folder could have code of theirs run. Here both are
read with the few classes that such files are made of.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta
from torch.distributed.checkpoint.planner import ReadItem

_PLAIN = {
    "pathlib": {"Path", "PosixPath"},
    "torch": {"Size"},
    "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
    "torch.distributed.checkpoint.metadata": {
        "_MEM_FORMAT_ENCODING",
        "BytesStorageMetadata",
        "ChunkStorageMetadata",
        "Metadata",
        "MetadataIndex",
        "StorageMeta",
        "TensorProperties",
        "TensorStorageMetadata",
    },
    "torch.serialization": {"_get_layout"},
}
"""By module, what a table of contents is made of; besides, the names of torch's number formats."""


class Contents(pickle.Unpickler):
    """Reads a table of contents, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "pathlib._local":  # so Python 3.13 writes it, and no other reads it
            module = "pathlib"
        is_format = module == "torch" and isinstance(getattr(torch, name, None), torch.dtype)
        if is_format or name in _PLAIN.get(module, ()):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} does not belong into a checkpoint")


class Reader(FileSystemReader):
    """Reads shards, after their table of contents."""

    def read_metadata(self, *_: Any, **__: Any) -> Metadata:
        with (Path(self.path) / ".metadata").open("rb") as file:
            metadata = Contents(file).load()
        if not isinstance(metadata, Metadata):
            raise pickle.UnpicklingError(f"{file.name} is no table of contents")
        metadata.storage_meta = metadata.storage_meta or StorageMeta()
        metadata.storage_meta.load_id = self.load_id
        return metadata


class Planner(DefaultLoadPlanner):
    """Puts what was read where it belongs, if it is plain."""

    def load_bytes(self, read_item: ReadItem, value: io.BytesIO) -> None:
        torch.load(value, weights_only=True)  # raises where there is more to it than plain values
        value.seek(0)
        super().load_bytes(read_item, value)
