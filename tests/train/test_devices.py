"""Every rank has a GPU of its own, however many it sees, and in whatever order."""

import os
import threading
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from accelerate.state import PartialState

from hpc_dl.errors import EXIT_CLUSTER, UserError
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.train import devices, world
from hpc_dl.train.devices import VisibleGPUs, assign

A, B, C, D = ("GPU-a", "GPU-b", "GPU-c", "GPU-d")


def on(host, *gpus):
    return [VisibleGPUs(host, list(it)) for it in gpus]


@pytest.mark.parametrize(
    "ranks, numbers",
    [
        (on("n1", [A, B, C, D]) * 4, [0, 1, 2, 3]),
        (on("n1", [A], [B], [C]), [0, 0, 0]),  # gpus-per-task, gpu-bind=single:1
        (on("n1", [A, B], [A, B], [C, D], [C, D]), [0, 1, 0, 1]),  # closest, on two sockets
        (on("n1", [A, B, C, D], [A, B, C, D], [C, D, A, B], [C, D, A, B]), [0, 1, 0, 1]),
        (on("n1", [A, B], [B, A]), [0, 0]),
        (on("n1", [A, B], [A]), [1, 0]),
        (on("n1", [A, B]) * 2 + on("n2", [C, D]) * 2, [0, 1, 0, 1]),
    ],
)
def test_each_rank_takes_another_gpu(ranks, numbers):
    assert assign(ranks) == numbers
    taken = [seen.gpus[number] for seen, number in zip(ranks, numbers, strict=True)]
    assert len(set(taken)) == len(ranks)


@pytest.mark.parametrize(
    "ranks, what",
    [
        (on("n1", [A]) * 2, "ranks 0, 1 on n1 together see 1 (GPU-a)"),
        (on("n1", [A, B]) * 3, "ranks 0, 1, 2 on n1 together see 2 (GPU-a, GPU-b)"),
        (on("n1", [A, B]) * 2 + on("n2", [C]) * 2, "ranks 2, 3 on n2 together see 1 (GPU-c)"),
    ],
)
def test_two_ranks_with_one_gpu_are_refused_with_the_options_of_sbatch(ranks, what):
    with pytest.raises(UserError) as raised:
        assign(ranks)
    assert what in raised.value.message
    for option in ("--gpus-per-node", "gpus-per-task", "gpu-bind"):
        assert option in raised.value.hint
    assert raised.value.exit_code == EXIT_CLUSTER


@pytest.fixture
def cuda(monkeypatch):
    """A machine on which torch sees what a test says."""
    chosen = []

    def see(*gpus):
        properties = [SimpleNamespace(uuid=it) for it in gpus]
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(gpus))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(gpus))
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda i: properties[i])
        monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
        return chosen

    monkeypatch.delenv("ACCELERATE_USE_CPU", raising=False)
    return see


def rank_info(rank, size):
    return RankInfo(rank, size, rank, size, "7.0", "7", 0)


def test_a_single_rank_takes_the_first_gpu(cuda):
    chosen = cuda(A, B)
    assert devices.find(2, rank_info(0, 1), None) == torch.device("cuda", 0)
    assert chosen == [torch.device("cuda", 0)]


@pytest.mark.parametrize("left", ["LOCAL_RANK", "WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"])
@pytest.mark.parametrize("gpus", [0, 1])
def test_a_single_rank_ignores_variables_of_other_launchers(cuda, monkeypatch, left, gpus):
    """Variables of one are there in a shell that was started by srun or mpirun."""
    cuda(A)
    monkeypatch.setattr(os, "environ", {**os.environ, left: "2"})
    plan = SimpleNamespace(cpus_per_task=1, gpus_per_node=gpus)
    with world.join(None, plan, rank_info(0, 1), 60.0):
        backend, _ = PartialState._prepare_backend(SimpleNamespace(), cpu=not gpus)
    assert backend is None


def test_a_job_without_gpus_does_not_look_for_them(cuda, monkeypatch):
    cuda(A)
    assert devices.find(0, rank_info(0, 1), None).type == "cpu"
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    assert devices.find(1, rank_info(0, 1), None).type == "cpu"


def test_the_error_without_a_gpu_shows_cuda_visible_devices(cuda, monkeypatch):
    cuda()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "NoDevFiles")
    with pytest.raises(UserError, match="CUDA_VISIBLE_DEVICES is 'NoDevFiles'"):
        devices.find(2, rank_info(0, 2), None)


def test_the_ranks_exchange_their_visible_gpus():
    store, found = dist.HashStore(), {}
    seen = on("n1", [A, B], [B, A])

    def exchange(rank):
        found[rank] = devices.exchange(store, rank_info(rank, 2), seen[rank])

    threads = [threading.Thread(target=exchange, args=(rank,)) for rank in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == {0: seen, 1: seen}


@pytest.mark.parametrize(
    "visible, number", [([B], 0), ([A, B], 1), ([B, A], 0)], ids=["one", "all", "closest"]
)
def test_accelerate_takes_the_same_device(cuda, monkeypatch, visible, number):
    """By LOCAL_RANK, which is no more than the device's number."""
    cuda(*visible)
    store = dist.HashStore()
    store.set("gpus/0", f'["n1", ["{A}"]]')
    device = devices.find(2, rank_info(1, 2), store)
    assert device == torch.device("cuda", number)
    asked = {}
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(dist, "init_process_group", lambda *_, **named: asked.update(named))
    monkeypatch.setattr(world.torch, "zeros", lambda *_, **__: None)
    monkeypatch.setattr(dist, "all_reduce", lambda *_: None)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda *_: None)
    world._connect(store, ("127.0.0.1", 1), rank_info(1, 2), device, 60.0)
    assert asked["device_id"] == device
    state = SimpleNamespace(
        device=None,
        distributed_type="MULTI_GPU",
        local_process_index=int(os.environ["LOCAL_RANK"]),
        num_processes=2,
    )
    PartialState.set_device(state)
    assert state.device == device
