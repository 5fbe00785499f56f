"""Fixtures for all tests."""

import os

# Tests run side by side: threads of each would only wait for those of the others.
os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest_plugins = [
    "tests.cluster",
    "tests.empty_store",
    "tests.markers",
    "tests.snapshots",
    "tests.stores",
]
