"""Out of memory: what was asked for, what there was, and the micro-batch that fits, by trying."""

import functools
import re
import resource

import psutil
import pytest
import torch

from hpc_dl.train import memory
from tests import ranks
from tests.own_models import own_models
from tests.running import new_run

GIB = 2**30


def limit(more: int) -> None:
    """Let this process have so many bytes more than it has, and no more."""
    most = psutil.Process().memory_info().vms + more
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def hungry(root, **train):
    code = own_models(root / "code")
    return new_run(root, code, model={"name": "own.py:Hungry", "mib": 4}, train=train)


def test_the_error_names_a_micro_batch_and_with_it_the_run_trains(tmp_path):
    run = hungry(tmp_path)
    with ranks.ended(ranks.start(run, functools.partial(limit, GIB))) as (process,):
        process.join(100)
        assert process.exitcode == 1
    said = next(run.logs.glob("*.log")).read_text()
    assert "out of memory on cpu of" in said
    assert "at 128 examples at once: 0.50 GiB asked for" in said
    assert re.search(r"[\d.]+ GiB held by this rank", said)
    (fits,) = re.findall(r"train.micro_batch=(\d+) fits", said)
    assert 1 <= int(fits) <= 64
    again = hungry(tmp_path, micro_batch=int(fits), steps=2, epochs=None)
    with ranks.ended(ranks.start(again, functools.partial(limit, GIB))) as (process,):
        process.join(100)
        assert process.exitcode == 0


def test_a_gpu_without_memory_is_recognised_by_torchs_own_error():
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has ...")
    assert memory.ran_out(error)
    said = str(memory.explain(error, torch.device("cpu"), tried=64, fits=0))
    assert "20.00 MiB asked for" in said
    assert "Not even one example fits" in said


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), OSError("no space left")])
def test_other_errors_are_not_taken_for_it(error):
    assert not memory.ran_out(error)
