"""Shards of a checkpoint: saving them changes nothing, and reading them runs nothing."""

import io
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.distributed import checkpoint
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import get_state_dict

from hpc_dl.errors import UserError
from hpc_dl.train import best_effort
from hpc_dl.train.sharded_checkpoint import MetadataUnpickler, ShardedCheckpoint
from hpc_dl.train.world import World

WORLD = World(0, 1, torch.device("cpu"))


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return Path.mkdir, (self.folder, 0o777, False, True)


def player(kind="adam"):
    torch.manual_seed(0)
    network = nn.Linear(4, 3)
    optimizers = {
        "adam": lambda p: torch.optim.AdamW(p, lr=0.1, fused=True),
        "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
        "plain": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.1),
    }
    return network, optimizers[kind](network.parameters())


def step(network, optimizer):
    network(torch.ones(2, 4)).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()


@pytest.mark.parametrize("kind", ["adam", "momentum", "plain"])
def test_a_save_before_the_first_step_does_not_change_the_training(tmp_path, kind):
    (saved, saved_by), (other, other_by), (loaded, loaded_by) = (player(kind) for _ in range(3))
    ShardedCheckpoint({"model": (saved, saved_by)}, WORLD).save(tmp_path / "shards").result()
    ShardedCheckpoint({"model": (loaded, loaded_by)}, WORLD).load(tmp_path / "shards")
    for _ in range(2):
        for network, optimizer in ((saved, saved_by), (other, other_by), (loaded, loaded_by)):
            step(network, optimizer)
    assert torch.equal(saved.weight, other.weight)
    assert torch.equal(loaded.weight, other.weight)


def test_what_is_saved_is_the_state_at_that_moment(tmp_path):
    network, optimizer = player()
    shards, before = (
        ShardedCheckpoint({"model": (network, optimizer)}, WORLD),
        network.weight.clone(),
    )
    writing = shards.save(tmp_path / "shards")
    step(network, optimizer)  # the training goes on
    writing.result()
    shards.load_weights(tmp_path / "shards")
    assert torch.equal(network.weight, before)


def test_metadata_that_would_run_code_is_refused(tmp_path):
    shards = ShardedCheckpoint({"model": player()}, WORLD)
    shards.save(tmp_path / "shards").result()
    (tmp_path / "shards" / ".metadata").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    for load in (shards.load, shards.load_weights):
        with pytest.raises(UserError, match=r"cannot be read: .* does not belong in"):
            load(tmp_path / "shards")
    assert not (tmp_path / "sprung").exists()


def test_a_value_that_would_run_code_is_refused(tmp_path):
    network, optimizer = player()
    shards = ShardedCheckpoint({"model": (network, optimizer)}, WORLD)
    weights, moments = get_state_dict(network, optimizer)
    moments["param_groups"][0]["lr"] = Trap(tmp_path / "sprung")
    state = {"model": {"network": weights, "optimizer": moments}}
    checkpoint.save(state, checkpoint_id=tmp_path / "shards", no_dist=True)
    with pytest.raises(UserError, match=r"cannot be read: UnpicklingError"):
        shards.load(tmp_path / "shards")
    assert not (tmp_path / "sprung").exists()


def test_disk_errors_of_a_rank_are_distinguished_from_others():
    full = OSError(28, "No space left on device")
    assert best_effort.describe_disk_error(CheckpointException("write", {3: (full, None)})) == (
        "No space left on device, on rank 3"
    )
    assert best_effort.is_disk_error(CheckpointException("write", {3: (full, None)}))
    assert not best_effort.is_disk_error(
        CheckpointException("write", {3: (ValueError("a fault"), None)})
    )


def test_a_path_pickled_by_any_python_is_read():
    for module in (b"pathlib", b"pathlib._local"):
        written = b"c" + module + b"\nPosixPath\n(Vshard\ntR."
        assert MetadataUnpickler(io.BytesIO(written)).load() == Path("shard")
