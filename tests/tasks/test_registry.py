"""A task is one file, of its name."""

import pytest

from hpc_dl import tasks
from hpc_dl.errors import UserError
from hpc_dl.jobspec.architectures import ZOO
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.metrics import GOALS, OF_TASK, of_task
from hpc_dl.jobspec.sources import SOURCES

NAMES = sorted({task for it in (*ZOO.values(), *SOURCES.values()) for task in it.tasks} - {"none"})


@pytest.mark.parametrize("name", NAMES)
def test_every_task_that_an_architecture_or_a_source_names_has_its_file_and_metrics(name):
    task = tasks.find(name)
    assert task.__doc__
    assert task.monitored.metric == OF_TASK[name][0]
    assert all(metric in GOALS for metric in OF_TASK[name])


def test_data_may_ask_nothing_and_an_unknown_task_is_refused():
    facts = DataFacts.of("image", "none", (1, 8, 8), (), 8, 1, 1)
    assert tasks.build(facts) is None
    with pytest.raises(UserError, match="no task 'count'"):
        tasks.find("count")


def test_metrics_of_a_task_that_is_not_shipped_are_not_known_beforehand():
    assert of_task(DataFacts.of("image", "count", (1, 8, 8), (), 8, 1, 1)) is None
