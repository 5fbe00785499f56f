"""A user's code of before, in the snapshot of an old run, still works."""

import importlib

import pytest

from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.model import UserModel
from hpc_dl.zoo import build
from hpc_dl.zoo.contract import MonitoredMetric, Task

FACTS = DataFacts.of("image", "classify", (1, 8, 8), ("a", "b"), 8, 1, 1)
CODE = """
from hpc_dl.zoo.contract import Architecture, Headline, Objective

class Own(Architecture):
    headline = Headline("accuracy", "max")

    def turns(self, step):
        return super().turns(step) * step

class ByProperty(Own):
    @property
    def headline(self):
        return self.objective.headline

class ByNewName(Own):
    def updates(self, step):
        return ("new",)
"""


@pytest.fixture
def built(tmp_path):
    (tmp_path / "own.py").write_text(CODE)
    return lambda name: build(UserModel(name=f"own.py:{name}"), FACTS, tmp_path)


def test_a_class_that_defines_headline_and_turns_has_a_monitored_metric_and_updates(built):
    own = built("Own")
    assert own.monitored == MonitoredMetric("accuracy", "max")
    assert own.updates(2) == ("model", "model")
    assert own.objective is own.task


def test_a_subclass_may_use_the_new_names_and_the_former_ones_follow(built):
    assert built("ByProperty").monitored == built("Own").task.monitored
    assert built("ByNewName").updates(1) == built("ByNewName").turns(1) == ("new",)


def test_a_class_that_was_renamed_is_imported_by_its_former_name(built):
    module = importlib.import_module(type(built("Own")).__module__)
    assert module.Objective is Task
