"""Real runs on streamed pictures: exact, their workers deaf to warnings, and gone with them."""

import os
import signal

import h5py
import numpy as np
import psutil
import pytest

from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir, read_json
from tests.support import ranks
from tests.support.pictures import folder_of_pictures
from tests.support.running import events, final_state, history, new_run
from tests.support.waiting import wait_until


@pytest.fixture
def pictures(tmp_path):
    return folder_of_pictures(tmp_path / "pictures", 60)


def prepared(root, pictures, name="streamed", tasks=1, epochs=4, **data) -> RunDir:
    """A run with everything random in it; 48 examples, 5 steps an epoch."""
    augment = {"crop": 1, "flip": True, "noise": 0.05}
    source = {"name": "image_folder", "root": str(pictures), "size": [8, 8], "batch_size": 10}
    return new_run(
        root,
        name=name,
        model={"name": "ffnn", "hidden": [16], "dropout": 0.2},
        data={**source, "augment": augment, "loading": "streaming", "workers": 2, **data},
        train={"epochs": epochs, "log_every": 1, "micro_batch": 3},
        checkpoint={"every": "3 steps"},
        resources={"tasks_per_node": tasks, "cpus_per_task": 1},
    )


def wait_for(run, step):
    wait_until(
        lambda: any(e["step"] >= step for e in events(run, "metrics", since_start=True)),
        timeout=60,
        interval=0.002,
        message=f"{run.id} to reach step {step}",
    )


def family(process):
    """A rank and all that it has started: the server of its workers, and these."""
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


@pytest.mark.nightly
def test_kill_9_changes_no_bit_and_the_resident_run_is_the_same(tmp_path, pictures):
    resident = ranks.train(prepared(tmp_path, pictures, "resident", 2, loading="resident"))
    killed = prepared(tmp_path, pictures, "killed", 2)
    with ranks.ended(ranks.start(killed)) as processes:
        wait_for(killed, 8)
        family_of_first = family(processes[0])
    assert len(family_of_first) >= 4
    wait_until(lambda: not any(it.is_running() for it in family_of_first), message="all to go")
    ranks.train(killed)
    starts = [event["step"] for event in events(killed, "started")]
    assert len(starts) == 2
    assert starts[-1] > 0, "the last attempt began from a checkpoint, not from the beginning"
    assert read_json(killed.plan)["workers"] == 2
    assert read_json(resident.plan)["workers"] is None
    assert history(killed) == history(resident)
    assert final_state(killed) == final_state(resident)


def test_a_streamed_table_is_trained_on_as_a_resident_one_even_if_it_is_killed(tmp_path):
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "times.h5", "w") as file:
        file["x"], file["y"] = 1.7e9 + rng.random((60, 3)), rng.random((60, 2))

    def run(name, **data):
        source = {"name": "hdf5", "path": str(tmp_path / "times.h5"), "batch_size": 10}
        return new_run(
            tmp_path,
            name=name,
            model={"name": "ffnn", "hidden": [16], "dropout": 0.2},
            data={**source, "task": "regress", **data},
            train={"epochs": 4, "log_every": 1, "micro_batch": 3},
            checkpoint={"every": "3 steps"},
        )

    resident = ranks.train(run("resident", loading="resident"))
    killed = run("killed", loading="streaming", workers=1)
    ranks.kill_at(killed, 8)
    ranks.train(killed)
    assert len(events(killed, "started")) == 2
    assert history(killed) == history(resident)
    assert final_state(killed) == final_state(resident)


def test_a_signal_to_every_process_stops_the_run_but_no_data_worker(tmp_path, pictures):
    run = prepared(tmp_path, pictures, epochs=2000)
    with ranks.ended(ranks.start(run)) as (rank,):
        wait_for(run, 3)
        for process in family(rank)[::-1]:  # the workers first
            os.kill(process.pid, signal.SIGUSR2)
        rank.join(30)
    state, reason = journal.last_state(run.journal)
    assert (state, reason.partition(";")[0]) == ("stopped", "the time limit is near")
