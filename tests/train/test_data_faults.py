"""Faults of the data on the node: before the first step, with their message, on every rank."""

import os
import time

import h5py
import numpy as np
import pytest

from hpc_dl.data import loading
from hpc_dl.errors import UserError
from hpc_dl.run import journal
from tests.support import ranks
from tests.support.markers import nightly
from tests.support.running import events, new_run
from tests.support.typed import QUICK, hpcdl, job_file, use_settings

RNG = np.random.default_rng(0)


def table(folder, broken=()):
    """An HDF5 file of 60 rows, some of which have a gap."""
    x = RNG.standard_normal((60, 5))
    x[list(broken), 3] = np.nan
    path = folder / "rows.h5"
    with h5py.File(path, "w") as file:
        file["x"], file["y"] = x, np.arange(60) % 3
    return path


def prepared(root, path, size=1, **sections):
    data = {"name": "hdf5", "path": str(path), "batch_size": 10, **sections.pop("data", {})}
    return new_run(
        root,
        model={"name": "ffnn", "hidden": [8]},
        data=data,
        train={"epochs": 3, "log_every": 1, **sections.pop("train", {})},
        resources={"tasks_per_node": size, "cpus_per_task": 1},
        **sections,
    )


def ended(run, size=1, sabotage=None):
    """Start the ranks; their exit codes, and their logs."""
    with ranks.ended(ranks.start_job(run, sabotage, size)) as processes:
        for process in processes:
            process.join(60)
        codes = [process.exitcode for process in processes]
    return codes, [log.read_text() for log in sorted(run.logs.glob("*.log"))]


@pytest.mark.parametrize("way", ["resident", "streaming"])
@pytest.mark.parametrize("size", [1, 2])
def test_a_fault_ends_all_ranks_before_the_first_step(tmp_path, way, size):
    run = prepared(tmp_path, table(tmp_path, [7, 50]), size, data={"loading": way})
    codes, logs = ended(run, size)
    assert codes == [2] * size
    state, reason = journal.last_state(run.journal)
    assert state == "failed"
    assert "nan in 2 of 60 examples: [7, 3], [50, 3]" in reason
    assert "Fill these in" in reason
    assert not events(run, "started")
    assert "Traceback" not in "".join(logs)


def test_the_command_says_what_is_at_fault_and_exits_with_2(tmp_path, monkeypatch):
    use_settings(monkeypatch, tmp_path)
    data = f"{{name: hdf5, path: {table(tmp_path, [7])}}}"
    done = hpcdl("submit", job_file(tmp_path, QUICK.replace("{name: digits}", data)), "--local")
    assert done.returncode == 2
    assert (
        "quick-1: failed  data.inputs: 'x': table: nan in 1 of 60 examples: [7, 3]" in done.stdout
    )
    assert "bug" not in done.stdout + done.stderr


def refuse_on_rank_1():
    load = loading.load

    def load_or_refuse(*given, **named):
        if os.environ["SUBMITIT_LOCAL_GLOBALID"] == "1":
            raise UserError("data.path: rows.h5 is not there", hint="Is the disk mounted?")
        return load(*given, **named)

    loading.load = load_or_refuse


def test_a_fault_that_one_rank_alone_finds_is_the_reason(tmp_path):
    run = prepared(tmp_path, table(tmp_path), 2)
    codes, logs = ended(run, 2, refuse_on_rank_1)
    assert codes == [2, 2]
    _, reason = journal.last_state(run.journal)
    here = os.uname().nodename
    assert reason == (f"data.path: rows.h5 is not there on rank 1 ({here})\nIs the disk mounted?")
    assert "Traceback" not in "".join(logs)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_file_that_changes_while_it_is_streamed_ends_the_run_with_its_checkpoint(
    tmp_path, workers
):
    path = table(tmp_path)
    data = {"loading": "streaming", "workers": workers}
    run = prepared(
        tmp_path, path, data=data, train={"epochs": 10_000}, checkpoint={"every": "3 steps"}
    )
    with ranks.ended(ranks.start_job(run, size=1)) as (process,):
        ranks.wait_for_step(run, 8)
        os.utime(path)
        process.join(60)
        assert process.exitcode == 2
    state, reason = journal.last_state(run.journal)
    assert state == "failed"
    assert reason.startswith(f"data.path: {path} has changed since the run began to read it\n")
    assert list(run.checkpoints.glob("step-*"))
    assert "Traceback" not in next(run.logs.glob("*.log")).read_text()


def sleep():
    loading.load = lambda *_, **__: time.sleep(1000)


def sleep_on_rank_1():
    if os.environ["SUBMITIT_LOCAL_GLOBALID"] == "1":
        sleep()


def work():
    load = loading.load

    def later(*given, **named):
        end = time.monotonic() + 6
        while time.monotonic() < end:
            sum(range(10_000))
        return load(*given, **named)

    loading.load = later


@pytest.mark.parametrize(("size", "sabotage"), [nightly(1, sleep), (2, sleep_on_rank_1)])
def test_a_reader_that_hangs_is_ended_with_the_stacks(tmp_path, size, sabotage):
    run = prepared(tmp_path, table(tmp_path), size, train={"hang_timeout": "0:01"})
    codes, logs = ended(run, size, sabotage)
    assert codes == [1] * size
    reason = journal.last_state(run.journal)[1]
    assert reason.startswith("no progress for")
    assert f"(rank {size - 1} on {os.uname().nodename})" in reason
    assert "in _load" in logs[-1]


@pytest.mark.nightly
def test_a_reader_that_works_for_long_is_waited_for_by_all_ranks(tmp_path):
    run = prepared(tmp_path, table(tmp_path), 2, train={"hang_timeout": "0:01"})
    codes, logs = ended(run, 2, work)
    assert codes == [0, 0], "".join(logs)
    assert journal.last_state(run.journal)[0] == "completed"
