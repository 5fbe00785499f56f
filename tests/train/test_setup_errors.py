"""What NCCL and gloo say is kept, and explained where its cause is known."""

import os
import socket

import pytest
import torch.distributed as dist

from hpc_dl.errors import EXIT_CLUSTER, UserError
from hpc_dl.run import failure
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.train import setup_errors
from tests.support import ranks
from tests.support.running import new_run

NCCL = "NCCL error in: /pytorch/torch/csrc/distributed/c10d/NCCLUtils.cpp:94, {}, NCCL version 2.27"
SYSTEM = "ncclSystemError: System call (e.g. socket, malloc) or external library call failed."
FULL = (
    "Error while creating shared memory segment /dev/shm/nccl-WU88OE (size 9637888), "
    "error: No space left on device (28)"
)
DUPLICATE = "Duplicate GPU detected : rank 1 and rank 0 both on CUDA device 1000"
NO_ROUTE = (
    "socketPollConnect: Connect to 10.0.0.4<56849> returned 113(No route to host) "
    "errno 115(Operation now in progress)"
)
NO_INTERFACE = "Bootstrap : no socket interface found"
DRIVER = "Cuda failure 'CUDA driver version is insufficient for CUDA runtime version'"
REMOTE = "socketProgress: Connection closed by remote peer node1<57557>"
GLOO = "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:547] "
CLOSED = "Connection closed by peer [127.0.0.1]:49230"
NO_GLOO_INTERFACE = (
    "[enforce fail at /pytorch/third_party/gloo/gloo/transport/tcp/device.cc:84] ifa != nullptr. "
    "Unable to find address for: ib7"
)
WORKER = (
    "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's "
    "workers are out of shared memory. Please try to raise your shared memory limit."
)


def nccl(last, kind="unhandled system error", name=SYSTEM):
    return dist.DistBackendError(f"{NCCL.format(kind)}\n{name}\nLast error:\n{last}")


def explained(error, *, connecting=True):
    with pytest.raises(type(error)) as same, setup_errors.explained(connecting=connecting):
        raise error
    return same.value


@pytest.mark.parametrize(
    "error, what, hint",
    [
        (nccl(FULL), "/dev/shm of {here} has no room", "--shm-size"),
        (nccl(DUPLICATE, "invalid usage"), "two ranks have the same GPU", "gpus-per-task"),
        (nccl(NO_ROUTE), "{here} cannot reach the node of another rank", "network_interface"),
        (nccl(NO_INTERFACE), "the network interface asked for is not on {here}", "lo"),
        (
            RuntimeError(NO_GLOO_INTERFACE),
            "the network interface asked for is not on {here}",
            "GLOO_SOCKET_IFNAME",
        ),
        (nccl(DRIVER, name="ncclUnhandledCudaError"), "could not be connected", "NCCL_DEBUG=INFO"),
    ],
    ids=["shm", "duplicate", "route", "interface", "interface-gloo", "other"],
)
def test_while_the_ranks_connect_each_cause_has_its_message(error, what, hint):
    with pytest.raises(UserError) as raised, setup_errors.explained(connecting=True):
        raise error
    found = raised.value
    assert what.format(here=socket.gethostname()) in found.message
    assert failure.first_line(error) in found.message
    assert hint in found.hint
    assert found.exit_code == EXIT_CLUSTER


@pytest.mark.parametrize("error", [nccl(FULL), nccl(DUPLICATE), RuntimeError(WORKER)])
def test_some_causes_are_explained_at_any_time(error):
    with pytest.raises(UserError, match=r"has no room|the same GPU"), setup_errors.explained():
        raise error


@pytest.mark.parametrize(
    "error", [nccl(REMOTE), RuntimeError(GLOO + CLOSED), dist.DistStoreError("wait timeout")]
)
def test_a_lost_rank_is_not_a_setup_error(error):
    assert explained(error) is error


@pytest.mark.parametrize("error", [nccl(NO_ROUTE), RuntimeError("no route to host: my own words")])
def test_after_the_setup_other_errors_are_not_changed(error):
    assert explained(error, connecting=False) is error


def recorded(root, error, job="7"):
    run = new_run(root)
    return failure.record(run, RankInfo(0, 2, 0, 2, f"{job}.0", job, 0), error)


@pytest.mark.parametrize(
    "error, words",
    [
        (nccl(REMOTE), REMOTE),
        (nccl(NO_ROUTE), NO_ROUTE),
        (RuntimeError(GLOO + CLOSED), CLOSED),
        (dist.DistStoreError("wait timeout after 300000ms, keys: /gpus/1"), "keys: /gpus/1"),
    ],
)
def test_a_rank_that_lost_another_keeps_the_message_of_the_library(
    tmp_path, monkeypatch, error, words
):
    monkeypatch.setattr(failure, "PEER_SECONDS", 0.0)
    found = recorded(tmp_path, error)
    assert found.peer_gone
    assert found.reason.startswith("another rank has ended without an error message")
    assert words in found.reason


@pytest.mark.parametrize(
    "error",
    [
        nccl(DUPLICATE, "invalid usage", "ncclInvalidUsage: This usually reflects invalid usage"),
        nccl("Cuda failure 2 'out of memory'", name="ncclUnhandledCudaError: Call to CUDA failed"),
        RuntimeError("[enforce fail at gloo/gloo/transport/tcp/pair.cc:1] 8 vs 4"),
        RuntimeError("my own NCCL is broken"),
    ],
)
def test_an_error_that_only_names_the_library_is_this_ranks_own(tmp_path, error):
    found = recorded(tmp_path, error)
    assert not found.peer_gone
    assert str(error) in found.reason


def fail_to_connect():
    def init_process_group(*args, **named):
        raise nccl(FULL)

    dist.init_process_group = init_process_group


def test_a_failure_while_the_ranks_connect_is_recorded_with_its_hint(tmp_path):
    run = new_run(tmp_path, resources={"tasks_per_node": 2, "cpus_per_task": 1})
    with ranks.ended(ranks.start_job(run, fail_to_connect)) as processes:
        processes[0].join(30)
        assert processes[0].exitcode == 1
    job_id = next(run.path.glob("failure-*.json")).name.split("-")[1].split(".")[0]
    found = failure.find(run, job_id)
    assert not found.peer_gone
    assert FULL in found.reason
    assert f"/dev/shm of {os.uname().nodename} has no room" in found.reason
