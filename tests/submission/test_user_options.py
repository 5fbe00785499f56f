"""The options of a user's own network and data are checked at submission, like those of hpcdl's."""

import re
from pathlib import Path

import pytest

from hpc_dl.cli import main
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.model import UserModel
from hpc_dl.jobspec.sources.user import UserData
from hpc_dl.jobspec.user_options import check_parameters
from hpc_dl.zoo import build
from tests.support.snapshots import taken, write
from tests.support.typed import use_settings

pytestmark = pytest.mark.usefixtures("forked_check")

FACTS = DataFacts.of("image", "classify", (1, 8, 8), ("a", "b"), 8, 1, 1)
NETWORK = """
from pathlib import Path
from typing import Literal
from pydantic import BaseModel, Field, PositiveInt
from torch import nn
from hpc_dl.zoo.architectures.ffnn import FeedForward

class Free(FeedForward):
    def networks(self):
        return {"model": nn.Linear(1, self.options.width)}

class Net(Free):
    class Options(BaseModel):
        width: PositiveInt = Field(64, description="units")
        depth: int
        gate: Literal["tanh", "relu"] = "tanh"
        at: tuple[int, int] = (1, 2)

class Taken(Free):
    class Options(BaseModel):
        draws: int = 1

def data(size, seed=0): ...
"""
JOB = """\
name: own
model:
  name: net.py:Net
  {option}
data: {{name: digits}}
train: {{epochs: 1}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use_settings(monkeypatch, tmp_path)
    return write(tmp_path / "base", {"net.py": NETWORK})


REFUSED = {
    "widht: 3": (4, 3, "unknown key 'widht' in model; did you mean 'width'?"),
    "width: wide": (4, 10, "model.width has to be a whole number, not 'wide'"),
    "width: 0": (4, 10, "model.width has to be above 0, not 0"),
    "gate: relo": (4, 9, "model.gate cannot be 'relo'; did you mean 'relu'?"),
    "at: [1, x]": (4, 11, "model.at.1 has to be a whole number, not 'x'"),
}


def test_a_typo_and_a_wrong_type_are_refused_where_they_were_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option, (line, column, message) in REFUSED.items():
        (folder / "job.yaml").write_text(JOB.format(option=option))
        assert main(["submit", str(folder / "job.yaml"), "--local", "--dry-run=plan"]) == 2
        found = capsys.readouterr().err
        assert f"job.yaml:{line}:{column}: {message}" in found
        assert "job.yaml:2:1: model.depth is missing" in found


def test_defaults_are_in_the_plan(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "job.yaml").write_text(JOB.format(option="depth: 3"))
    assert main(["submit", str(folder / "job.yaml"), "--local", "--dry-run=plan"]) == 0
    assert "net.py:Net: depth 3, width 64, gate tanh, at [1, 2]" in capsys.readouterr().out


def test_defaults_are_in_the_resolved_spec_and_in_the_network(folder: Path) -> None:
    given = {"name": "net.py:Net", "depth": 3}
    found = taken(folder, model=given)
    options = {"width": 64, "gate": "tanh", "at": [1, 2]}
    assert found.sections["model"] == {**given, **options, "init_from": None}
    network = build(UserModel.model_validate(given), FACTS, folder)
    assert (network.options.width, network.options.at) == (64, (1, 2))
    assert network.options.name == "net.py:Net"
    resolved = UserModel.model_validate(found.sections["model"])
    assert build(resolved, FACTS, folder).options.model_dump() == network.options.model_dump()


def test_of_a_network_that_declares_none_the_plan_says_that_they_are_not_checked(
    folder: Path,
) -> None:
    found = taken(folder, model={"name": "net.py:Free", "width": 3})
    assert found.sections == {"model": {"name": "net.py:Free"}}
    assert found.notes == ("the options of net.py:Free are not checked: it has no class Options",)


def test_an_option_that_would_hide_what_hpcdl_asks_for_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r"Taken\.Options: an option cannot be called draws"):
        taken(folder, model={"name": "net.py:Taken"})


def test_a_function_that_returns_data_is_given_the_options_that_it_takes(folder: Path) -> None:
    with pytest.raises(UserError) as refused:
        taken(folder, data={"name": "net.py:data", "sed": 1})
    assert re.search("unknown key 'sed' in data; did you mean 'seed'", refused.value.message)
    assert "data.size is missing" in refused.value.message


def test_a_parameter_that_never_gets_a_value_is_refused() -> None:
    def data(batch_size: int = 32, seed: int = 0) -> None:
        pass

    (fault,) = check_parameters(data, UserData(name="net.py:data", batch_size=64))
    assert fault.path == ("data", "batch_size")
    assert "has a parameter 'batch_size', but data.batch_size is a key" in fault.message


def test_what_is_no_function_is_refused() -> None:
    (fault,) = check_parameters({}, UserData(name="net.py:data"))  # type: ignore[arg-type]
    assert fault.message == "net.py:data is no function, but of type dict"
