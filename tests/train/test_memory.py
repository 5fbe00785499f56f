"""Out of memory: what was asked for, what there was, and the micro-batch that fits, by trying."""

import ctypes
import errno
import functools
import re
import resource
import socket

import numpy as np
import psutil
import pytest
import torch

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.train import memory
from tests.support import ranks
from tests.support.own_models import own_models
from tests.support.running import new_run

MIB = 2**20
MMAP_THRESHOLD, ARENA_MAX = -3, -8
"""mallopt's numbers for them."""
CPU = torch.device("cpu")


def limit(more: int) -> None:
    """Let this process have so many bytes more than it has, and no more.

    What it frees counts no longer, and its threads allocate in one place.
    """
    libc = ctypes.CDLL(None)
    libc.mallopt(MMAP_THRESHOLD, 2**16)
    libc.mallopt(ARENA_MAX, 1)
    most = psutil.Process().memory_info().vms + more
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def own(root, name, size=1, train=None, **options):
    code = own_models(root / "code")
    model = {"name": f"own.py:{name}", **options}
    resources = {"tasks_per_node": size, "cpus_per_task": 1}
    return new_run(root, code, model=model, train=train or {}, resources=resources)


def failed(run, sabotage=None):
    """What a run that fails says on rank 0."""
    with ranks.ended(ranks.start(run, sabotage, None)) as processes:
        processes[0].join(100)
        assert processes[0].exitcode == 1
    return next(run.logs.glob("*-0.log")).read_text()


def test_the_error_names_a_micro_batch_with_which_the_run_trains(tmp_path):
    """Of 64 examples the first step would fit, and with Adam's moments of 128 MiB no other."""
    hungry = functools.partial(own, tmp_path, "Hungry", mib=2, weights=64)
    limited = functools.partial(limit, 512 * MIB)
    said = failed(hungry(), limited)
    assert "out of memory on cpu of" in said
    assert "while training on 128 examples at once: 0.25 GiB asked for" in said
    assert re.search(r"[\d.]+ GiB held by this rank", said)
    (fits,) = re.findall(r"train.micro_batch=(\d+) fits", said)
    assert int(fits) == 32
    again = hungry(train={"micro_batch": int(fits), "steps": 3, "epochs": None})
    with ranks.ended(ranks.start(again, limited)):
        ranks.wait_for_step(again, 3)


def test_smaller_batches_are_tried_though_ddp_was_interrupted_in_its_backward_pass(tmp_path):
    said = failed(own(tmp_path, "Tight", 2, where="backward", fits=20))
    assert "while training on 64 examples at once: 3.00 GiB asked for" in said
    assert "train.micro_batch=16 fits" in said
    assert "mark a variable ready" not in said


def test_an_evaluation_obeys_the_micro_batch_and_names_one_that_fits(tmp_path):
    said = failed(own(tmp_path, "Tight", where="measure", fits=20))
    assert re.search(r"while evaluating \d{3} examples at once: more asked for", said)
    (fits,) = re.findall(r"train.micro_batch=(\d+) fits", said)
    assert 10 < int(fits) <= 20
    ranks.train(own(tmp_path, "Tight", where="measure", fits=20, train={"micro_batch": int(fits)}))


def test_the_learning_rate_finder_names_a_micro_batch_that_fits(tmp_path):
    train = {"optimizer": {"name": "adam", "lr": "auto"}}
    said = failed(own(tmp_path, "Tight", where="backward", fits=20, train=train))
    assert "while training on 128 examples at once: 3.00 GiB asked for" in said
    assert "train.micro_batch=16 fits" in said


def lacking_in_the_second_step():
    from hpc_dl.train.engine import Engine

    step = Engine._optimizer_step

    def stepped(engine, *arguments):
        step(engine, *arguments)
        if engine.step == 1:
            lacking()

    Engine._optimizer_step = stepped


@pytest.mark.parametrize(
    ("model", "size", "train", "advice"),
    [
        ({"name": "gan"}, 2, {}, "train.micro_batch=32 fits"),
        ({"name": "cnn", "norm": "batch"}, 2, {"sync_batch_norm": True}, "train.micro_batch=32"),
        ({"name": "ffnn"}, 2, {"strategy": "fsdp"}, "A smaller train.micro_batch may fit"),
    ],
)
def test_one_rank_tries_smaller_batches_of_gans_and_sync_batch_norm_but_not_of_fsdp(
    tmp_path, model, size, train, advice
):
    resources = {"tasks_per_node": size, "cpus_per_task": 1}
    run = new_run(tmp_path, model=model, train={"ema_decay": None, **train}, resources=resources)
    said = failed(run, lacking_in_the_second_step)
    assert "while training on 64 examples at once" in said
    assert advice in said


def lacking(*_, **__):
    raise RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be ...")


def lacking_in(module, name):
    """Have a function run out of memory."""
    import importlib

    setattr(importlib.import_module(module), name, lacking)


@pytest.mark.parametrize(
    ("module", "name", "doing", "hint"),
    [
        ("data.loading", "load", "loading the data", "resources.mem"),
        ("train.trainer", "place_splits", "moving the data to the device", "nvidia-smi"),
        ("train.trainer", "build_engine", "building the networks", "strategy=fsdp"),
        ("train.checkpoint", "load", "loading a checkpoint", "GPU with more memory"),
        ("train.export", "write_json", "exporting the trained network", "hpcdl submit"),
    ],
)
def test_every_phase_of_a_run_has_its_message_and_hint(tmp_path, module, name, doing, hint):
    run = new_run(tmp_path, train={"epochs": 1})
    said = failed(run, functools.partial(lacking_in, f"hpc_dl.{module}", name))
    assert f"while {doing}" in said
    assert hint in said


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has ..."),
        torch.AcceleratorError("CUDA error: out of memory\nSearch for `cudaErrorMemoryAllocation'"),
        RuntimeError("CUDA driver error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. no room for the workspace"),
        RuntimeError("CUDA error: CUSPARSE_STATUS_ALLOC_FAILED when calling `cusparseCreate`"),
        RuntimeError(
            "NCCL error in: ProcessGroupNCCL.cpp:3690, unhandled cuda error\nLast error:\n"
            "Cuda failure 2 'out of memory'"
        ),
    ],
)
def test_out_of_gpu_memory_is_recognised_from_every_library(error):
    assert memory.is_out_of_memory(error)
    assert not memory.is_out_of_main_memory(error)


def refused(count):
    with pytest.raises(MemoryError) as caught:
        np.empty(count)
    return caught.value


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (MemoryError(), "more"),
        (refused(2**47), "1.00 PiB"),
        (RuntimeError("std::bad_alloc"), "more"),
        (
            RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 536870912 bytes."
            ),
            "0.50 GiB",
        ),
        (
            RuntimeError(
                "unable to mmap 1073741824 bytes from file </x>: Cannot allocate memory (12)"
            ),
            "1.00 GiB",
        ),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "more"),
    ],
)
def test_out_of_main_memory_is_distinguished_from_gpu_memory(error, asked):
    assert memory.is_out_of_memory(error)
    said = memory.explain(error, torch.device("cuda", 0), "loading the data", "Ask for more.")
    assert str(said).startswith(f"out of main memory on {socket.gethostname()} while")
    assert f"while loading the data: {asked} asked for" in str(said)
    assert said.exit_code == EXIT_FAILED


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shapes differ"),
        RuntimeError("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. non-contiguous input"),
        RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED"),
        OSError(errno.ENOSPC, "no space left"),
    ],
)
def test_other_errors_are_not_out_of_memory(error):
    assert not memory.is_out_of_memory(error)
    with pytest.raises(type(error), match=re.escape(str(error))), memory.during(memory.SAVING, CPU):
        raise error


def test_a_phase_has_its_own_hint():
    with pytest.raises(UserError) as caught, memory.during(memory.SAVING, CPU):
        raise MemoryError
    assert "while saving a checkpoint" in caught.value.message
    assert "resources.mem" in caught.value.hint
