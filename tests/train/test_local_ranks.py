"""A rank of a local job that is killed before it has met the others is noticed by them."""

import os
import subprocess
import threading

import pytest

from hpc_dl.run.rank_info import RankInfo
from hpc_dl.train import local_ranks
from tests.support.waiting import wait_until


@pytest.fixture
def ranks(monkeypatch):
    """Three ranks of which this process is the controller."""
    monkeypatch.setattr(local_ranks, "SECONDS", 0.05)
    monkeypatch.setattr(os, "getppid", os.getpid)
    started = [
        subprocess.Popen(["sleep", "60"], env={**os.environ, "SUBMITIT_LOCAL_GLOBALID": str(rank)})
        for rank in range(3)
    ]
    yield started
    for process in started:
        process.kill()
        process.wait()


def found(rank_info, ranks, *, kill):
    """Who is said to be gone, of which some are killed while this one meets the others."""
    said = []
    with local_ranks.watched(rank_info, said.append):
        threading.Event().wait(0.3)
        for rank in kill:
            ranks[rank].kill()
        if kill:
            wait_until(lambda: said, timeout=5)
    return [str(error).split(" on ")[0] for error in said]


PLACE = RankInfo(0, 3, 0, 3, "7.0", "7", 0)


@pytest.mark.parametrize("kill", [(), (1,), (2,), (1, 2)])
def test_one_that_is_killed_is_named(ranks, monkeypatch, kill):
    monkeypatch.setattr(local_ranks, "_is_local", lambda: True)
    assert found(PLACE, ranks, kill=kill) == [f"rank {rank}" for rank in kill[:1]]


def test_processes_of_another_launcher_are_left_to_it():
    """Whose processes are other ones, on other machines."""
    assert not local_ranks._is_local()
