"""Markers of tests by what they take: `fast`, `long`, and those between.

`python -m pytest -m fast` takes minutes, and goes through everything that needs no Slurm, no server
and no processes of a job; it is what is tried with other versions of Python and of the libraries. A
few tests of the engine, which do start ranks, carry the marker themselves. `long` are those that
take half a minute or more, where a shorter one shows much of the same: CI does without them, `make
test` does not.
"""

from types import ModuleType

import pytest

from tests import chaos
from tests.support import ranks, running, stores, typed

STARTERS = (
    chaos,
    ranks,
    ranks.train,
    running.kill_at,
    running.start,
    running.train,
    stores.Server,
    stores.bring_elsewhere,
    typed.hpcdl,
)
"""A module that has one of them is not fast."""

SLOW = (
    "cli/test_plan.py::test_the_script_makes_its_run_folder_once_and_trains",
    "cli/test_dry_run",
    "cli/test_dashboard",
    "tracking/test_crowd",
    "tracking/test_live",
    "tracking/test_truth",
    "tracking/test_turns",
    "scheduler/test_sbatch_options.py::test_secrets_are_kept_where_the_owner_alone_can_read",
    "verify/test_verify",
)
"""Modules and tests that start processes by other means."""


def pytest_configure(config: pytest.Config) -> None:
    """Say what the markers mean."""
    config.addinivalue_line("markers", "fast: without Slurm, servers and processes of a job")
    config.addinivalue_line("markers", "long: half a minute or more; not in CI")
    config.addinivalue_line("markers", "gpu: needs an NVIDIA GPU; see tests/gpu_check.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is fast."""
    for item in items:
        module = item.getparent(pytest.Module)
        assert module is not None
        slow = "cluster" in item.fixturenames or any(name in item.nodeid for name in SLOW)
        if not slow and _starts_nothing(module.obj):
            item.add_marker("fast")


def _starts_nothing(module: ModuleType) -> bool:
    return not any(thing is starter for thing in vars(module).values() for starter in STARTERS)
