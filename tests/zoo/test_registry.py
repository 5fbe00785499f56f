"""An architecture is three files: its options, its networks, and a job that trains it."""

import inspect
import pkgutil
import re
from importlib import import_module

import pytest

from hpc_dl.jobspec.architectures import ZOO
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.load import load
from hpc_dl.verify import recipes
from hpc_dl.zoo import architectures
from hpc_dl.zoo.contract import Architecture


def classes(module):
    """The architectures of a file of the zoo that are meant for users."""
    return [
        it
        for _, it in inspect.getmembers(
            import_module(f"hpc_dl.zoo.architectures.{module}"), inspect.isclass
        )
        if issubclass(it, Architecture) and it.__module__ == f"hpc_dl.zoo.architectures.{module}"
    ]


def test_every_architecture_has_options_networks_and_a_job():
    files = [it.name for it in pkgutil.iter_modules(architectures.__path__) if not it.ispkg]
    networks = {name for name in files if classes(name)}
    jobs = {path.stem for path in recipes.FOLDER.glob("*.yaml")}
    assert networks == set(ZOO)
    assert set(ZOO) <= jobs


@pytest.mark.parametrize("name", ZOO)
def test_its_docstring_cites_a_paper_and_its_job_names_it(name):
    (kind,) = classes(name)
    said = import_module(kind.__module__).__doc__
    assert re.search(r"arXiv:\d|\b(19|20)\d\d\b", said), "which paper?"
    assert load(recipes.path(name)).model.name.partition(":")[0] == name


def test_there_is_an_output_for_each_target_or_class():
    facts = DataFacts.of("table", "regress", (4,), (), 8, 1, 1, targets=("height", "weight"))
    assert facts.outputs == 2
    assert DataFacts.of("image", "classify", (1, 8, 8), ("a", "b", "c"), 8, 1, 1).outputs == 3
