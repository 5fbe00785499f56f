"""Swept options on the command line, and which lists are values of an option."""

import pytest

from hpc_dl.errors import UserError
from hpc_dl.jobspec.load import load
from hpc_dl.jobspec.swept_words import as_parameters

JOB = """\
name: run
model: {name: NET, hidden: [3], width: 4}
data: {name: digits}
train: {epochs: 3}
"""


@pytest.fixture
def job(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(JOB.replace("NET", "ffnn").replace(", width: 4", ""))
    return path


@pytest.mark.parametrize(
    "word",
    [
        *("train.optimizer.lr=[1e-3,1e-4]", "train.optimizer.lr={log_uniform: [1e-4, 1e-2]}"),
        *("model.hidden=[[64],[128,64]]", "model.name=[ffnn,cnn]", "model.hidden={choice: [[3]]}"),
        *("train.class_weights=[balanced,[1,2]]", "train.optimizer=[{name: sgd}, {name: adam}]"),
    ],
)
def test_several_values_are_swept(job, word):
    assert as_parameters(job, [word, "train.epochs=1"]) == [
        f"sweep.parameters.{word}",
        "train.epochs=1",
    ]
    trials = ["sweep.trials=1"]
    (entry,) = load(job, [*as_parameters(job, [word]), *trials]).sweep.parameters
    assert entry == word.partition("=")[0]


@pytest.mark.parametrize(
    "word", ["model.hidden=[64,32]", "train.class_weights=[1,2]", "train.optimizer={name: sgd}"]
)
def test_a_value_of_an_option_stays_one(job, word):
    swept = "train.seed=[1,2]"
    assert as_parameters(job, [word, swept]) == [word, f"sweep.parameters.{swept}"]


def test_where_nothing_is_swept_lists_of_lists_are_told_of(job):
    with pytest.raises(UserError, match=r"nothing is swept: model\.hidden takes a list") as caught:
        as_parameters(job, ["model.hidden=[64,32]"])
    assert "model.hidden=[[64],[32]]" in caught.value.hint
    assert as_parameters(job, ["model.hidden=[[64],[32]]"])[0].startswith("sweep.")


def test_of_an_option_of_own_code_it_has_to_be_said(tmp_path):
    job = tmp_path / "job.yaml"
    job.write_text(JOB.replace("NET", "my.py:Net"))
    assert as_parameters(job, ["model.width=[1,2]"]) == ["sweep.parameters.model.width=[1,2]"]
    for key in ("model.hidden", "model.other"):
        with pytest.raises(UserError, match=rf"is \[1,2\] one value of {key}") as caught:
            as_parameters(job, [f"{key}=[1,2]"])
        told = caught.value.hint.partition("'")[2].partition("'")[0]
        assert as_parameters(job, [told]) == [f"sweep.parameters.{told}"]


def test_what_is_no_yaml_keeps_its_own_complaint(job):
    with pytest.raises(UserError, match="not YAML"):
        load(job, as_parameters(job, ["train.seed=[1,2"]))
