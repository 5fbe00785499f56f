"""One process trains in a run folder; who else comes sees whom it belongs to."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpc_dl.run import lease, process_identity
from hpc_dl.run.layout import RunDir
from hpc_dl.run.lease import Holder, Lease, LeaseHeld
from hpc_dl.run.process_identity import Process
from hpc_dl.run.submission import Submission
from tests.support.waiting import wait_until

ELSEWHERE = Process("another boot/pid:[1]", 1, 1.0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"RENEW": 0.1, "EXPIRY": 1.0, "RELEASE": 0.5, "CLEANUP": 0.5}
    for name, seconds in times.items():
        monkeypatch.setattr(lease, f"{name}_SECONDS", seconds)


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return RunDir(tmp_path)


def holder(job_id: str = "8", process: Process | None = None, restarts: int = 0) -> Holder:
    submission = Submission("slurm", job_id, "login", 0.0, cluster="c1")
    return Holder(submission, restarts, process or Process.own(), "n1", time.time())


@pytest.fixture
def losses() -> list[str]:
    return []


@pytest.fixture
def take(run: RunDir, losses: list[str]) -> Iterator[object]:
    """Take the lease, where Slurm says this of its holder."""
    taken: list[Lease] = []

    def acquire(who: Holder, slurm: str = "unknown") -> Lease:
        taken.append(lease.acquire(run, who, lambda _: slurm, losses.append))
        return taken[-1]

    yield acquire
    for one in taken:
        one.release()


def test_a_second_job_is_refused_while_one_trains(run: RunDir, take, losses: list[str]) -> None:
    first = take(holder("8"))
    before = sorted(path.name for path in run.path.iterdir())
    with pytest.raises(LeaseHeld, match=r"is being trained by Slurm job 8 on n1 since 20"):
        take(holder("9"))
    assert sorted(path.name for path in run.path.iterdir()) == before
    first.check()
    assert losses == []


def test_a_released_lease_is_acquired_at_once(take) -> None:
    take(holder("8", ELSEWHERE)).release()
    began = time.monotonic()
    take(holder("9"), "yes")
    assert time.monotonic() - began < lease.RELEASE_SECONDS


def test_the_lease_of_a_dead_process_is_acquired_at_once(take) -> None:
    with subprocess.Popen(["true"]) as process:
        dead = Process(process_identity.identity(), process.pid, 1.0)
    take(holder("8", dead), "no")._stop.set()  # it died without releasing it
    began = time.monotonic()
    take(holder("9"), "yes")
    assert time.monotonic() - began < lease.RELEASE_SECONDS


def test_a_recycled_process_id_is_not_taken_for_the_holder() -> None:
    own = Process.own()
    assert own.is_alive()
    assert not own._replace(started=own.started - 1).is_alive()
    assert own._replace(machine="another").is_alive() is None


@pytest.mark.parametrize("slurm", ["yes", "ending"])
def test_a_live_job_keeps_its_lease(take, slurm: str) -> None:
    take(holder("8", ELSEWHERE))._stop.set()  # suspended: it does not touch its lease
    with pytest.raises(LeaseHeld):
        take(holder("9"), slurm)


def test_an_ended_job_loses_its_lease(take) -> None:
    take(holder("8", ELSEWHERE))._stop.set()
    take(holder("9"), "no")


def test_a_requeued_job_acquires_its_lease_at_once(take) -> None:
    take(holder("8", ELSEWHERE))
    take(holder("8", restarts=1), "yes")


def test_a_holder_of_unknown_state_is_watched(take, losses: list[str]) -> None:
    first = take(holder("8", ELSEWHERE))
    with pytest.raises(LeaseHeld):  # it renews its lease
        take(holder("9"))
    first._stop.set()
    first._thread.join()  # and now it is frozen
    began = time.monotonic()
    take(holder("9"))
    assert time.monotonic() - began >= lease.EXPIRY_SECONDS
    first._stop.clear()
    first.check()
    (said,) = losses
    assert "was taken over by Slurm job 9" in said


def test_a_wrong_clock_changes_nothing(take, run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    take(holder("8", ELSEWHERE))
    monkeypatch.setattr(time, "time", lambda: 1e9)
    with pytest.raises(LeaseHeld):
        take(holder("9"))


def test_of_many_jobs_at_once_one_acquires_the_lease(run: RunDir, losses: list[str]) -> None:
    got: list[Lease] = []

    def come(number: int) -> None:
        try:
            got.append(lease.acquire(run, holder(str(number)), lambda _: "yes", losses.append))
        except LeaseHeld:
            return

    comers = [threading.Thread(target=come, args=(number,)) for number in range(8)]
    for comer in comers:
        comer.start()
    for comer in comers:
        comer.join()
    assert len(got) == 1
    assert len(list(run.path.glob("lease-*"))) == 1
    got[0].release()


def test_a_lease_works_without_hard_links(take, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    take(holder("8"))
    with pytest.raises(LeaseHeld):
        take(holder("9"), "yes")


def test_a_frozen_holder_ends_before_it_writes(run: RunDir, take, losses: list[str]) -> None:
    first = take(holder("8", ELSEWHERE))
    first.check(now=False)
    take(holder("9"), "no")
    wait_until(lambda: losses, 10, message="the former holder does not notice")


def test_a_lease_that_cannot_be_read_counts_until_it_expires(run: RunDir, take) -> None:
    (run.path / "lease-3.json").write_text("{")
    began = time.monotonic()
    take(holder("9"), "no")
    assert time.monotonic() - began >= lease.EXPIRY_SECONDS
    assert lease.newest(run)[0] == 4
