"""A source of data is two files of one name: its options, and what reads it."""

import inspect
import pkgutil

import pytest

from hpc_dl.data import sources
from hpc_dl.jobspec import sources as options_of_sources
from hpc_dl.jobspec.sources import SOURCES
from hpc_dl.jobspec.sources.user import UserData


def modules(package):
    return {module.name for module in pkgutil.iter_modules(package.__path__)}


def test_options_and_readers_exist_for_the_same_sources():
    assert modules(options_of_sources) == modules(sources)


@pytest.mark.parametrize("options", [*SOURCES.values(), UserData], ids=lambda it: it.__name__)
def test_the_options_of_every_source_have_one_complete_reader(options):
    assert not inspect.isabstract(sources.class_for(options))
    assert options.__doc__, "the first line of its docstring is shown to users"
