"""A rank that hangs is found, named, and ends the attempt with the stacks of all ranks."""

import os
import signal
import subprocess
import sys
import time

import pytest

from hpc_dl.cli import main
from hpc_dl.run.journal import Journal
from hpc_dl.run.submission import Submission
from tests.support import ranks
from tests.support.markers import nightly
from tests.support.own_models import line_of, own_models
from tests.support.running import events, new_run


def hanging(root, size, rank, timeout="0:04"):
    return new_run(
        root,
        own_models(root / "code"),
        model={"name": "own.py:Hanging", "rank": rank, "at": 5},
        train={"hang_timeout": timeout},
        resources={"tasks_per_node": size, "cpus_per_task": 1},
    )


@pytest.mark.parametrize("size, rank", [nightly(1, 0), nightly(2, 0), (2, 1)])
def test_a_hang_ends_the_attempt_with_the_stacks_of_all_ranks(tmp_path, size, rank):
    run = hanging(tmp_path, size, rank)
    with ranks.ended(ranks.start(run)) as processes:
        processes[0].join(60)
        assert processes[0].exitcode == 7, "rank 0 was told of the hang"
    logs = [log.read_text() for log in sorted(run.logs.glob("*.log"))]
    assert f"(rank {rank} on {os.uname().nodename})" in logs[0].split("hung: no progress for ")[1]
    hangs_at = line_of("threading.Event().wait()")
    assert f'own.py", line {hangs_at} in loss' in logs[rank]
    assert all("most recent call first" in log for log in logs)
    beats = [event for event in events(run, "heartbeat") if min(event["idle"]) > 1]
    assert all(len(beat["at"]) == len(beat["idle"]) == size for beat in beats)
    assert beats[-1]["behind"] == f"rank {rank} on {os.uname().nodename}"


def test_a_hang_in_the_final_test_is_noticed_and_the_state_says_testing(tmp_path):
    run = new_run(
        tmp_path,
        own_models(tmp_path / "code"),
        model={"name": "own.py:HangingInTheTest"},
        train={"epochs": 1, "hang_timeout": "0:04"},
    )
    with ranks.ended(ranks.start(run)) as processes:
        processes[0].join(60)
        assert processes[0].exitcode == 7, "rank 0 was told of the hang"
    assert "trained, and being tested" in [event["reason"] for event in events(run, "state")]
    assert "in test" in next(run.logs.glob("*.log")).read_text()


@pytest.mark.nightly
def test_a_stopped_rank_is_the_one_that_is_behind(tmp_path):
    run = new_run(
        tmp_path,
        own_models(tmp_path / "code"),
        model={"name": "own.py:Slow"},
        train={"epochs": 100, "hang_timeout": "0:04"},
        resources={"tasks_per_node": 2, "cpus_per_task": 1},
    )
    with ranks.ended(ranks.start(run)) as processes:
        ranks.wait_for_step(run, 5)
        os.kill(processes[1].pid, signal.SIGSTOP)
        processes[0].join(60)
        assert processes[0].exitcode == 7
    assert "(rank 1 on " in next(run.logs.glob("*-0.log")).read_text()


def test_status_shows_for_how_long_and_for_which_rank_the_others_wait(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path))
    run = new_run(tmp_path)
    alive = [sys.executable, "-c", "input()", f"{run.path}/submitit"]
    with subprocess.Popen(alive, stdin=subprocess.PIPE, start_new_session=True) as job:
        here = os.uname().nodename
        Submission("local", str(job.pid), here, time.time(), job.pid).save(run)
        log = Journal(run.journal)
        log.append("state", state="running", reason="4 ranks")
        log.append("heartbeat", at=[7.5, 7.5], idle=[730.0, 745.0], behind="rank 3 on n2")
        log.close()
        assert main(["status", run.id]) == 0
        job.communicate(b"\n")
    assert "no progress for 12 min (rank 3 on n2)" in capsys.readouterr().out
