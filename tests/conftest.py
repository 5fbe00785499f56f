"""Fixtures for all tests, and how they share a machine."""

import os

import pytest

# Tests run side by side: threads of each would only wait for those of the others.
os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest_plugins = ["tests.cluster", "tests.stores"]


def pytest_xdist_auto_num_workers() -> int:
    """More than there are cores: while some tests wait for Slurm, or a signal, others compute."""
    return 1 + len(os.sched_getaffinity(0)) * 5 // 4


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for a real Slurm begins first, so that nothing waits for it alone at the end."""
    items.sort(key=lambda item: "cluster" not in getattr(item, "fixturenames", ()))
