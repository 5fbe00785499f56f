"""A rank that is killed is noticed at once, one whose machine is gone within half a minute."""

import os
import signal
import socket
import threading
import time
from types import SimpleNamespace

import psutil
import pytest
import torch.distributed as dist

from hpc_dl import failure, journal
from hpc_dl.train import presence
from hpc_dl.train.presence import Presence
from tests import ranks
from tests.running import events, group_is_alive, start
from tests.test_rank_fails import leaving
from tests.waiting import wait_until

HERE = socket.gethostname()


class Two:
    """Two ranks of one process that are there for each other."""

    def __init__(self):
        self.store = dist.HashStore()
        self.lost = {0: [], 1: []}
        self.ranks = [
            Presence(
                self.store, "127.0.0.1", rank, lambda error, r=rank: self.lost[r].append(error)
            )
            for rank in (0, 1)
        ]
        wait_until(lambda: len(self.ranks[0]._open) == 2)

    def kill(self, rank):
        for connection in self.ranks[rank]._open:
            connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def two():
    both = Two()
    yield both
    for it in both.ranks:
        it.leave()


@pytest.mark.parametrize("victim", [0, 1])
def test_one_whose_connection_ends_is_gone(two, victim):
    two.ranks[victim]._left = True  # who is killed hears nothing any more
    two.kill(victim)
    wait_until(lambda: two.lost[1 - victim], timeout=5)
    assert str(two.lost[1 - victim][0]) == f"rank {victim} on {HERE} {failure.GONE}"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_one_that_takes_its_leave_is_not(two, order):
    for rank in order:
        two.ranks[rank].leave()
    wait_until(lambda: not any(it.name == "presence" for it in threading.enumerate()), timeout=5)
    assert two.lost == {0: [], 1: []}


def test_a_stranger_that_looks_in_is_no_rank(two):
    port = int(two.store.get("presence"))
    socket.create_connection(("127.0.0.1", port)).close()
    two.ranks[1].leave()
    wait_until(lambda: len(two.ranks[0]._open) == 3)
    assert two.lost[0] == []


def killed_beside_its_child(port):
    """Be a rank with a process of a user's own, which outlives it."""
    Presence(SimpleNamespace(get=lambda key: port), "127.0.0.1", 7, print)
    if os.fork() == 0:
        time.sleep(8)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_forked_child_does_not_stand_in_for_it(two):
    rank = ranks._CONTEXT.Process(target=killed_beside_its_child, args=(two.store.get("presence"),))
    rank.start()
    rank.join()
    wait_until(lambda: two.lost[0], timeout=5)
    assert "rank 7" in str(two.lost[0][0])


def test_the_kernel_asks_often_enough_whether_a_machine_is_there(two):
    for it in two.ranks:
        options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        idle, between, count = (
            it._open[-1].getsockopt(socket.IPPROTO_TCP, option) for option in options
        )
        assert it._open[-1].getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert idle + between * count == presence.SILENCE < 30


def test_a_local_run_ends_though_the_other_rank_would_wait_for_ever(tmp_path):
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
