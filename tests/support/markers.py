"""Markers that a test gets from what it uses; pyproject.toml says what each marker means.

`slurm`: it takes the fixture `cluster`. `slow`: it is `nightly`; or it, or a function of the tests
that it calls, starts the ranks of a job, a job, a server or the command `hpcdl`. Other slow tests
are marked by hand.
"""

import inspect
from types import CodeType, FunctionType
from typing import Any

import pytest

from tests import chaos
from tests.support import ranks, running, stores, typed

STARTERS = (
    chaos.compare_killed_runs,
    ranks.call_on_all,
    ranks.start,
    ranks.start_job,
    running.start,
    stores.Server,
    stores.sync_elsewhere,
    typed.hpcdl,
)
"""What starts processes that take seconds."""


def nightly(*values: Any) -> Any:
    """Return a parameter set that shows much of what its neighbours do, and is not for CI."""
    return pytest.param(*values, marks=pytest.mark.nightly)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is `slurm` or `slow`."""
    known: dict[Any, bool] = dict.fromkeys(STARTERS, True)
    for item in items:
        assert isinstance(item, pytest.Function)
        if "cluster" in item.fixturenames:
            item.add_marker("slurm")
        fixtures = item._fixtureinfo.name2fixturedefs.values()
        functions = [item.obj, *(definition.func for each in fixtures for definition in each)]
        is_slow = any(_starts_processes(function, known) for function in functions)
        if is_slow or item.get_closest_marker("nightly"):
            item.add_marker("slow")


def _starts_processes(function: Any, known: dict[Any, bool]) -> bool:
    """Return whether a function of the tests, or one that it calls, is a starter."""
    if function not in known:
        known[function] = False  # of functions that call each other
        known[function] = any(
            _starts_processes(called, known) for called in _called_functions(function)
        )
    return known[function]


def _called_functions(function: Any) -> list[Any]:
    """Return the functions and classes of the tests whose names occur in a function's code."""
    function = inspect.unwrap(function)
    if not isinstance(function, FunctionType) or not function.__module__.startswith("tests."):
        return []
    names = [function.__globals__.get(name) for name in _names(function.__code__)]
    modules = [it for it in names if inspect.ismodule(it) and it.__name__.startswith("tests.")]
    names += [vars(module).get(name) for module in modules for name in _names(function.__code__)]
    return [it for it in names if isinstance(it, FunctionType | type)]


def _names(code: CodeType) -> set[str]:
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*(_names(each) for each in inner))
