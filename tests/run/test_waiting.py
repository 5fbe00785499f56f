"""Waiting for a condition and for a lock ends in time, and says how it ended."""

import fcntl
import os
import time
from pathlib import Path

import pytest

from hpc_dl.run.waiting import locked, try_lock, wait_until


def test_the_first_true_value_is_returned() -> None:
    values = iter([0, 0, 3, 4])
    assert wait_until(lambda: next(values), 10, pause=0.001) == 3


def test_a_condition_is_asked_once_without_time_to_wait() -> None:
    asked: list[int] = []
    assert wait_until(lambda: asked.append(1), 0) is None
    assert asked == [1]


def test_waiting_ends_with_the_last_value_when_the_time_is_over() -> None:
    began = time.monotonic()
    assert wait_until(lambda: 0, 0.05, pause=0.01) == 0
    assert time.monotonic() - began >= 0.05


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_only_one_holds_a_lock_and_closing_releases_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path
    if kind == "file":
        path = tmp_path / "lock"
        path.touch()
    with locked(path) as first, locked(path, 0.05) as second:
        assert (first, second) == (True, False)
    with locked(path) as third:
        assert third


def test_shared_locks_exclude_only_an_exclusive_one(tmp_path: Path) -> None:
    descriptors = [os.open(tmp_path, os.O_RDONLY) for _ in range(3)]
    assert [try_lock(it, shared=True) for it in descriptors[:2]] == [True, True]
    assert try_lock(descriptors[2]) is False
    for descriptor in descriptors:
        os.close(descriptor)


def test_without_locks_on_the_file_system_everybody_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path) as first, locked(tmp_path) as second:
        assert (first, second) == (True, True)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    assert try_lock(descriptor) is None
    os.close(descriptor)
