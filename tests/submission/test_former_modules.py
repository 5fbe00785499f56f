"""A user's code that imports what has moved: that of an old run resumes, new code gets a note."""

import importlib
import sys
from pathlib import Path

import pytest

from hpc_dl.user_code import former_modules, load_object
from tests.support.snapshots import taken, write

pytestmark = pytest.mark.usefixtures("forked_check")

FORMER = """
import hpc_dl.spec.data
import hpc_dl.zoo.pictures.grids as pictures
from hpc_dl.zoo import ffnn
from hpc_dl.zoo.ffnn import FeedForward
from hpc_dl.zoo.layers import dense, norm
from hpc_dl.zoo.units import deviation
from hpc_dl.spec.models.vae import VariationalAutoencoder

class Net(ffnn.FeedForward):
    def networks(self):
        from hpc_dl.zoo.noise import mask
        return {"model": dense([hpc_dl.spec.data.DataFacts and 1, 1], "relu")}
"""


@pytest.mark.parametrize("module", [*former_modules.MODULES, *former_modules.NAMES])
def test_everything_that_has_moved_is_where_the_table_says(module: str) -> None:
    names, now = former_modules.NAMES.get(module, (set(), former_modules.current_name(module)))
    assert names <= set(dir(importlib.import_module(now)))


def test_former_names_mean_the_modules_of_today(tmp_path: Path) -> None:
    write(tmp_path, {"net.py": FORMER})
    net = load_object("net.py:Net", tmp_path)
    from hpc_dl.jobspec import data
    from hpc_dl.zoo.architectures.ffnn import FeedForward

    assert issubclass(net, FeedForward)
    assert sys.modules["hpc_dl.spec.data"] is data
    assert load_object("hpc_dl.zoo.ffnn:FeedForward", tmp_path) is FeedForward
    assert net.networks(None)["model"]


def test_as_code_is_submitted_the_plan_says_what_is_called_otherwise(tmp_path: Path) -> None:
    base = write(tmp_path / "base", {"net.py": FORMER, "random.py": ""})
    (base / "net.py").write_text("import random\n" + FORMER)
    found = taken(base, model={"name": "net.py:Net"})
    called = "hpc_dl.zoo.ffnn is called hpc_dl.zoo.architectures.ffnn now"
    assert f"{base}/net.py:5: {called}" in found.notes
    meant = f"`import random` means the installed module, not {base}/random.py"
    assert any(note.startswith(f"{base}/net.py:1: {meant}") for note in found.notes)
    options = {"hidden": [8], "activation": "relu", "dropout": 0.0}
    found = taken(base, model={"name": "hpc_dl.zoo.ffnn:FeedForward", **options})
    assert called in found.notes
