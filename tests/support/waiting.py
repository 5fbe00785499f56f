"""Waiting for a condition instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    predicate: Callable[[], T],
    timeout: float = 30,
    interval: float = 0.05,
    message: str = "the condition did not come true",
) -> T:
    """Return the first true value of a predicate, asked every `interval` s for `timeout` s.

    Raises AssertionError with the message and the last value when the time is over.
    """
    deadline = time.monotonic() + timeout
    while not (value := predicate()):
        if time.monotonic() >= deadline:
            raise AssertionError(f"{message} (within {timeout} s; last value: {value!r})")
        time.sleep(interval)
    return value
