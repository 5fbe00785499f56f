"""Sharded checkpoints: one folder to which every rank writes, and any number of ranks reads.

torch.distributed.checkpoint unpickles its metadata and values other than tensors without limits, so
whoever can write into a run folder could have code of theirs run. Here only the few classes that
such files consist of are unpickled.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta
from torch.distributed.checkpoint.planner import ReadItem
from torch.distributed.checkpoint.state_dict import (
    get_model_state_dict,
    get_state_dict,
    set_model_state_dict,
    set_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import async_save

from hpc_dl.errors import UserError
from hpc_dl.train.world import World

Pairs = Mapping[str, tuple[nn.Module, torch.optim.Optimizer]]
"""Each player's network and optimizer."""
_ALLOWED = {
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
"""Classes of the metadata by module; torch's dtypes are allowed, too."""


class MetadataUnpickler(pickle.Unpickler):
    """Unpickles metadata, and refuses any other class."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "pathlib._local":  # so Python 3.13 writes it, and no other reads it
            module = "pathlib"
        is_format = module == "torch" and isinstance(getattr(torch, name, None), torch.dtype)
        if is_format or name in _ALLOWED.get(module, ()):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} does not belong in a checkpoint")


class SafeReader(FileSystemReader):
    """Reads shards with `MetadataUnpickler`."""

    def read_metadata(self, *_: Any, **__: Any) -> Metadata:
        with (Path(self.path) / ".metadata").open("rb") as file:
            metadata = MetadataUnpickler(file).load()
        if not isinstance(metadata, Metadata):
            raise pickle.UnpicklingError(f"{file.name} holds no checkpoint metadata")
        metadata.storage_meta = metadata.storage_meta or StorageMeta()
        metadata.storage_meta.load_id = self.load_id
        return metadata


class SafePlanner(DefaultLoadPlanner):
    """Loads values that are not tensors only if they are plain."""

    def load_bytes(self, read_item: ReadItem, value: io.BytesIO) -> None:
        torch.load(value, weights_only=True)  # raises for other classes than plain values
        value.seek(0)
        super().load_bytes(read_item, value)


class ShardedCheckpoint:
    """Writes and reads the sharded part of a checkpoint; all ranks call each method together."""

    def __init__(self, pairs: Pairs, world: World) -> None:
        self._pairs, self._world = pairs, world
        # It is written in the background, and so needs a process group of its own.
        self._group = dist.new_group(backend="gloo") if world.size > 1 else None
        self._writing: Future[Any] | None = None
        self._initialise_optimizers()

    def _initialise_optimizers(self) -> None:
        """Create the optimizer states now.

        To read the state of an optimizer that has not stepped yet, torch has it step without
        gradient and learning rate, and that step counts: a save would change the training.
        """
        self._state()
        for _, optimizer in self._pairs.values():
            for moments in optimizer.state.values():
                for moment in moments.values():
                    if isinstance(moment, Tensor):
                        moment.zero_()

    def save(self, folder: Path) -> Future[Any]:
        """Copy this rank's shards and return a future, done when all ranks have written."""
        self.wait()
        alone = self._world.size == 1
        writing = async_save(
            self._state(), checkpoint_id=folder, process_group=self._group, no_dist=alone
        )
        assert isinstance(writing, Future)
        self._writing = writing
        return writing

    def wait(self) -> None:
        """Wait for the last save, whether it succeeds or not."""
        if self._writing is not None:
            self._writing.exception()

    def load(self, folder: Path) -> None:
        """Load weights and optimizer states, saved by any number of ranks."""
        state = self._state()
        self._read(state, folder)
        for name, (network, optimizer) in self._pairs.items():
            set_state_dict(
                network,
                optimizer,
                model_state_dict=state[name]["network"],
                optim_state_dict=state[name]["optimizer"],
            )

    def load_weights(self, folder: Path) -> None:
        """Load the weights alone."""
        state = {n: {"network": get_model_state_dict(net)} for n, (net, _) in self._pairs.items()}
        self._read(state, folder)
        for name, (network, _) in self._pairs.items():
            set_model_state_dict(network, state[name]["network"])

    def _read(self, state: dict[str, Any], folder: Path) -> None:
        """Fill `state` from the folder. Raises UserError where that does not fit."""
        alone = self._world.size == 1
        try:
            load(state, storage_reader=SafeReader(folder), planner=SafePlanner(), no_dist=alone)
        except CheckpointException as error:
            causes = {rank: cause for rank, (cause, _) in error.failures.items()}
            first = causes[min(causes)]
            raise UserError(
                f"{folder} cannot be read: {type(first).__name__}: {first}",
                hint=f"Remove {folder.parent}; the checkpoint before it is taken then.",
            ) from error

    def _state(self) -> dict[str, Any]:
        found = {}
        for name, (network, optimizer) in self._pairs.items():
            weights, moments = get_state_dict(network, optimizer)
            found[name] = {"network": weights, "optimizer": moments}
        return found
