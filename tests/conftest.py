"""Fixtures for all tests."""

import os

# Tests run side by side: threads of each would only wait for those of the others.
os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest_plugins = [
    "tests.support.cluster",
    "tests.support.empty_store",
    "tests.support.markers",
    "tests.support.shared_code",
    "tests.support.snapshots",
    "tests.support.stores",
]
