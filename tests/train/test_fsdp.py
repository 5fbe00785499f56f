"""Weights divided over the ranks: the same training, and checkpoints for any number of ranks."""

import math

import pytest
import torch

from hpc_dl.planning.plan import Plan
from hpc_dl.run.layout import read_json, write_json
from hpc_dl.train.sharded_checkpoint import MetadataUnpickler
from tests.support import ranks
from tests.support.running import events, exported_weights, history, new_run

TRAIN = {"epochs": 4, "log_every": 6, "micro_batch": 20, "clip_norm": 5.0, "strategy": "fsdp"}


def job(root, name, size, **train):
    return new_run(
        root,
        name=name,
        model={"name": "ffnn", "hidden": [32], "dropout": train.pop("dropout", 0.0)},
        train={**TRAIN, **train},
        checkpoint={"every": "5 steps"},
        resources={"tasks_per_node": size, "cpus_per_task": 1},
    )


def exported(run):
    return exported_weights(run)


def agree(ours, theirs):
    for (step, one), (_, other) in zip(history(ours), history(theirs), strict=True):
        assert one == pytest.approx(other, rel=1e-4), step


def test_fsdp_trains_as_one_rank_does(tmp_path):
    whole = ranks.train(job(tmp_path, "whole", 1, strategy="ddp"))
    for size in (2, 4):
        agree(ranks.train(job(tmp_path, "divided", size)), whole)


@pytest.mark.nightly
def test_every_rank_holds_its_shards_of_weights_and_moments_alone(tmp_path):
    run = ranks.train(job(tmp_path, "divided", 4))
    newest = sorted(run.checkpoints.glob("step-*"))[-1]
    with (newest / "shards" / ".metadata").open("rb") as file:
        contents = MetadataUnpickler(file).load()
    tensors = {
        name: tensor
        for name, tensor in contents.state_dict_metadata.items()
        if getattr(tensor, "size", ())  # the optimizer's counts of steps are single numbers
    }
    writers = {name: set() for name in tensors}
    for index, place in contents.storage_data.items():
        writers.get(index.fqn, set()).add(place.relative_path)
    assert len(tensors) == 3 * len(exported(run)), "the weights and Adam's two moments"
    for name, tensor in tensors.items():
        assert len(writers[name]) == 4, name
        sizes = [chunk.sizes.numel() for chunk in tensor.chunks]
        assert sum(sizes) == tensor.size.numel()
        assert max(sizes) == math.ceil(tensor.size[0] / 4) * tensor.size[1:].numel()
    state = torch.load(newest / "state.pt", weights_only=True)
    assert state["engine"]["networks"] == state["engine"]["optimizers"] == {}


def test_killed_and_resumed_it_ends_with_the_same_bits(tmp_path):
    undisturbed = ranks.train(job(tmp_path, "calm", 2, dropout=0.2))
    killed = job(tmp_path, "killed", 2, dropout=0.2)
    for step in (18, 36):
        ranks.kill_at(killed, step)
    ranks.train(killed)
    assert [event["step"] > 0 for event in events(killed, "started")] == [False, True, True]
    assert history(killed) == history(undisturbed)
    assert all(
        torch.equal(exported(killed)[name], exported(undisturbed)[name])
        for name in exported(undisturbed)
    )


@pytest.mark.nightly
@pytest.mark.parametrize("before, after", [(2, 4), (4, 2), (2, 1)])
def test_a_sharded_checkpoint_resumes_on_another_number_of_ranks(tmp_path, before, after):
    undisturbed = ranks.train(job(tmp_path, "calm", 1, strategy="ddp"))
    moved = job(tmp_path, "moved", before)
    ranks.kill_at(moved, 24)
    other = Plan.from_json(read_json(job(tmp_path, "other", after).plan)).to_json()
    write_json(moved.plan, {**other, "run_dir": str(moved.path)})
    ranks.train(moved)
    assert [event["world_size"] for event in events(moved, "started")] == [before, after]
    assert events(moved, "started")[1]["step"] > 0
    agree(moved, undisturbed)


@pytest.mark.nightly
def test_a_damaged_shard_is_reported_and_the_checkpoint_before_it_used(tmp_path):
    run = job(tmp_path, "damaged", 2)
    ranks.kill_at(run, 36)
    newest, before = sorted(run.checkpoints.glob("step-*"), reverse=True)[:2]
    for best in run.checkpoints.glob("best-*"):
        assert best.name.removeprefix("best") <= before.name.removeprefix("step")
    shard = next((newest / "shards").glob("__1*.distcp"))
    damaged = bytearray(shard.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    shard.write_bytes(damaged)
    ranks.train(run)
    assert events(run, "started")[1]["step"] == int(before.name.removeprefix("step-"))
    (warning,) = events(run, "warning")
    assert f"checkpoint {newest.name} is damaged" in warning["message"]
    assert shard.name in warning["message"]


def test_a_loss_that_is_not_finite_stops_fsdp_too(tmp_path):
    run = job(tmp_path, "exploding", 2, optimizer={"name": "sgd", "lr": 1e30}, clip_norm=None)
    with ranks.ended(ranks.start(run)) as processes:
        for process in processes:
            process.join(60)
            assert process.exitcode == 1
    said = next(run.logs.glob("*-0.log")).read_text()
    assert "the loss of player 'model' is" in said
    (kept,) = (run.path / "nonfinite").iterdir()
    state = torch.load(kept / "state.pt", weights_only=True)
    assert math.isfinite(state["rate_factor"])
    assert state["networks"]["model"]["1.weight"].shape == (32, 64), "whole, for a look"
