"""A rank that is killed is noticed at once, one whose machine is gone within half a minute."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import psutil
import pytest
import torch.distributed as dist

from hpc_dl.run import failure, journal
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.train import peers
from hpc_dl.train.peers import PeerConnections
from tests.support import ranks
from tests.support.running import events, group_is_alive, start
from tests.support.waiting import wait_until
from tests.train.test_rank_fails import leaving

HERE = socket.gethostname()


class Two:
    """Two ranks of one process that are there for each other."""

    def __init__(self):
        self.store = dist.HashStore()
        self.lost = {0: [], 1: []}
        self.ranks = [
            PeerConnections(self.store, "127.0.0.1", rank, self.lost[rank].append)
            for rank in (0, 1)
        ]

    def kill(self, rank):
        self.ranks[rank]._on_gone = lambda error: None  # who is killed hears nothing any more
        for connection in self.ranks[rank]._open():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self, rank):
        """Begin to; what came of it is the future's result."""
        return self.pool.submit(self.ranks[rank].close)


@pytest.fixture
def two(monkeypatch):
    monkeypatch.setattr(peers, "_CLOSE_SECONDS", 5.0)
    both = Two()
    with ThreadPoolExecutor() as both.pool:
        yield both
        for rank in (0, 1):
            both.kill(rank)


@pytest.mark.parametrize("victim", [0, 1])
def test_a_rank_whose_connection_ends_is_gone(two, victim):
    two.kill(victim)
    wait_until(lambda: two.lost[1 - victim], timeout=5)
    assert str(two.lost[1 - victim][0]) == f"rank {victim} on {HERE} {failure.GONE}"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_rank_that_says_goodbye_is_not_gone(two, order):
    left = [two.close(rank) for rank in order]
    assert [it.result(10) for it in left] == [True, True]
    wait_until(lambda: not any(it.name == "peer" for it in threading.enumerate()), timeout=5)
    assert two.lost == {0: [], 1: []}


def test_a_rank_that_is_done_still_notices_the_end_of_rank_0(two):
    left = two.close(1)
    two.kill(0)
    assert left.result(10) is False
    assert "rank 0" in str(two.lost[1][0])


def test_a_rank_killed_after_its_goodbye_ends_nothing_but_is_absent(two):
    left = two.close(1)
    wait_until(two.ranks[0]._peers[0].heard.is_set)
    two.kill(1)
    wait_until(lambda: two.ranks[0]._peers[0].gone)
    assert two.close(0).result(10) is False
    assert two.lost[0] == []
    left.result(10)


def test_a_connection_that_sends_no_rank_is_ignored(two):
    port = int(two.store.get("peers"))
    socket.create_connection(("127.0.0.1", port)).close()
    wait_until(lambda: len(two.ranks[0]._peers) == 2)
    two.close(1)
    assert two.close(0).result(10) is True
    assert two.lost[0] == []


def killed_beside_its_child(port):
    """Be a rank with a process of a user's own, which outlives it."""
    PeerConnections(SimpleNamespace(get=lambda key: port), "127.0.0.1", 7, print)
    if os.fork() == 0:
        time.sleep(8)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_forked_child_does_not_keep_the_connection_open(two):
    rank = ranks._CONTEXT.Process(target=killed_beside_its_child, args=(two.store.get("peers"),))
    rank.start()
    rank.join()
    wait_until(lambda: two.lost[0], timeout=5)
    assert "rank 7" in str(two.lost[0][0])


def test_tcp_keep_alive_notices_a_lost_machine_within_half_a_minute(two):
    for it in two.ranks:
        options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        idle, between, count = (
            it._peers[0].connection.getsockopt(socket.IPPROTO_TCP, option) for option in options
        )
        assert it._peers[0].connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert idle + between * count == peers.SILENCE < 30


@pytest.mark.nightly
def test_a_local_run_ends_when_one_of_its_ranks_is_killed(tmp_path):
    run = leaving(tmp_path, 1, killed=True)
    submission = start(run)
    wait_until(lambda: events(run, "started"), timeout=90, message="no start")
    wait_until(
        lambda: journal.last_state(run.journal)[0] in journal.ENDED,
        timeout=30,
        message="nobody has noticed",
    )
    assert journal.last_state(run.journal) == ("failed", f"rank 1 on {HERE} {failure.GONE}")
    wait_until(lambda: not _of(submission.group), timeout=30, message="a rank is left")


def _of(group):
    """Whether a process of a group is left that is no zombie."""
    return group_is_alive(group) and any(
        os.getpgid(it.pid) == group
        for it in psutil.process_iter(["status"])
        if it.info["status"] != psutil.STATUS_ZOMBIE and psutil.pid_exists(it.pid)
    )


@pytest.fixture
def local_ranks(monkeypatch):
    """Three ranks of which this process is the controller."""
    monkeypatch.setattr(peers, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(os, "getppid", os.getpid)
    started = [
        subprocess.Popen(["sleep", "60"], env={**os.environ, "SUBMITIT_LOCAL_GLOBALID": str(rank)})
        for rank in range(3)
    ]
    yield started
    for process in started:
        process.kill()
        process.wait()


def found_gone(rank_info, processes, *, kill):
    """The ranks that are reported as gone, of which some are killed meanwhile."""
    gone = []
    with peers.watch_local(rank_info, gone.append):
        threading.Event().wait(0.3)
        for rank in kill:
            processes[rank].kill()
        if kill:
            wait_until(lambda: gone, timeout=5)
    return [str(error).split(" on ")[0] for error in gone]


RANK_INFO = RankInfo(0, 3, 0, 3, "7.0", "7", 0)


@pytest.mark.parametrize("kill", [(), (1,), (2,), (1, 2)])
def test_a_local_rank_killed_before_the_ranks_meet_is_named(local_ranks, monkeypatch, kill):
    monkeypatch.setattr(peers, "_is_local", lambda: True)
    assert found_gone(RANK_INFO, local_ranks, kill=kill) == [f"rank {rank}" for rank in kill[:1]]


def test_processes_of_another_launcher_are_not_watched():
    assert not peers._is_local()
