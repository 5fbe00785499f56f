"""HDF5 that is streamed: the batches and statistics of the resident path bit for bit."""

import subprocess
import sys
from multiprocessing import forkserver

import h5py
import numpy as np
import pytest
import torch

from hpc_dl.data.sampler import Batches, held_out
from hpc_dl.jobspec.sources.arrays import Hdf5
from hpc_dl.tasks import statistics
from hpc_dl.tasks.statistics import Moments
from tests.support import (
    ranks,  # for its warm server, from which workers are forked here
    reading,
)

assert ranks
forkserver.ensure_running()
RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 4
UNIX = 1.7e9


def hdf5(folder, x, y=LABELS, *, chunks=None, **options):
    path = folder / "arrays.h5"
    with h5py.File(path, "w") as file:
        packed = {"chunks": chunks, "compression": "gzip"} if chunks else {}
        file.create_dataset("x", data=x, **packed)
        file["y"], file["patient"] = y, np.arange(60) // 3
    source = {"name": "hdf5", "path": str(path), "validation": 0.2, "test": 0.2}
    return Hdf5(**source, **options)


def both(source, folder, workers=0):
    """The resident splits and the streamed ones."""
    return [reading.load(source, folder, folder, it) for it in (None, workers)]


def every_batch(splits):
    train = Batches(splits.train, 10, 3, 7, 0, 1).steps(epoch=2, first=1)
    yield from (batch for step in train for batch in step)
    for split in (splits.validation, splits.test):
        yield from held_out(split, 4, 0, 1)


def assert_same(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            assert one[name].dtype == other[name].dtype
            assert one[name].stride() == other[name].stride()
            assert torch.equal(one[name].nan_to_num(-7), other[name].nan_to_num(-7))


FORMS = {
    "grey bytes in chunks": (RNG.integers(0, 255, (60, 6, 5), np.uint8), {"chunks": (7, 6, 5)}),
    "channels last": (RNG.random((60, 9, 8, 3)), {"chunks": (1, 9, 8, 3)}),
    "truth values": (RNG.random((60, 1, 9, 8)) > 0.5, {}),
    "a big-endian table": (RNG.standard_normal((60, 5)).astype(">f8"), {}),
    "times": (UNIX + RNG.random((60, 2)), {"chunks": (7, 1)}),
    "whole numbers": (RNG.integers(0, 2**31, (60, 3)), {"groups": "patient"}),
    "gaps": (np.where(RNG.random((60, 3)) < 0.2, np.nan, np.arange(3)), {"missing": "mean"}),
    "sequences": (RNG.standard_normal((60, 7, 2)).astype("f2"), {"kind": "sequence"}),
    "long double": (RNG.standard_normal((60, 7, 2)).astype("f16"), {"kind": "sequence"}),
}


@pytest.mark.parametrize("form", FORMS)
def test_batches_are_those_of_the_resident_path(tmp_path, form):
    x, options = FORMS[form]
    resident, ours = both(hdf5(tmp_path, x, **options), tmp_path)
    assert resident.facts == ours.facts
    assert_same(every_batch(ours), every_batch(resident))


@pytest.mark.slow
def test_workers_change_no_bit_and_a_test_of_its_own_is_read(tmp_path):
    x, y = RNG.standard_normal((60, 5)), RNG.standard_normal((60, 2))
    source = hdf5(tmp_path, x, y, task="regress")
    with h5py.File(source.path, "a") as file:
        file["more"], file["said"] = x[:9] + 1, y[:9]
    source = source.model_copy(update={"test_inputs": "more", "test_labels": "said"})
    resident, ours = both(source, tmp_path, 2)
    assert len(ours.test) == 9
    assert_same(every_batch(ours), every_batch(resident))


def test_moments_of_a_streamed_table_are_those_of_the_resident_one(tmp_path, monkeypatch):
    monkeypatch.setattr(statistics, "AT_ONCE", 20)
    x = UNIX + RNG.standard_normal((60, 3))
    splits = both(hdf5(tmp_path, x, chunks=(7, 2)), tmp_path)
    resident, ours = (Moments.of_parts(it.train.in_order("table")) for it in splits)
    assert torch.equal(ours.mean, resident.mean)
    assert torch.equal(ours.squares, resident.squares)
    whole = torch.from_numpy(x[splits[0].train.index.sort().values])
    assert torch.allclose(ours.mean, whole.mean(0), rtol=1e-14)
    assert torch.allclose(ours.deviation(), whole.std(0, correction=0))


MEASURED = """
import resource, sys
from pathlib import Path

from hpc_dl.data import loading, sources
from hpc_dl.data.sampler import Batches, held_out
from hpc_dl.jobspec.sources.arrays import Hdf5
from hpc_dl.tasks.statistics import Moments
import hpc_dl.data.arrays.streamed


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


before = peak()
source = Hdf5(name="hdf5", path=sys.argv[1])
workers = 0 if sys.argv[3] == "streaming" else None
splits = loading.load(sources.build(source, Path(sys.argv[2])), workers)
Moments.of_parts(splits.train.in_order("table"))
for step, _ in zip(Batches(splits.train, 256, 256, 0, 0, 1).steps(0), range(50)):
    pass
for batch in held_out(splits.test, 256, 0, 1):
    pass
print((peak() - before) * 1024)
"""


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("loading", "most"),
    [("streaming", 0.25), ("memory", 2.25)],  # all examples, and the splits of them
)
def test_memory_is_bounded_whatever_the_size_of_the_file(tmp_path, loading, most):
    rows, width = 250_000, 256
    with h5py.File(tmp_path / "large.h5", "w") as file:
        x = file.create_dataset("x", (rows, width), "f4", chunks=(250, width))
        for start in range(0, rows, 25_000):
            x[start : start + 25_000] = RNG.random((25_000, width), dtype=np.float32)
        file["y"] = np.arange(rows, dtype=np.int8) % 4
    arguments = [str(tmp_path / "large.h5"), str(tmp_path), loading]
    command = [sys.executable, "-c", MEASURED, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=250)
    assert int(done.stdout) < rows * width * 4 * most


@pytest.mark.nightly
def test_statistics_of_numbers_in_memory_take_none_in_proportion():
    measured = """
import resource, torch
from hpc_dl.data import precision, validation
from hpc_dl.tasks import statistics

values = torch.rand(2**23, 4, dtype=torch.float64)
statistics.deviation(values[:9])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
statistics.mean(values), statistics.deviation(values)
validation.check_numbers(values, "x")
precision.loses_digits(statistics.in_parts(values))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""
    done = subprocess.run([sys.executable, "-c", measured], capture_output=True, check=True)
    assert int(done.stdout) < 2**28 / 4
