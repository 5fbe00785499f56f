"""The README's three commands for a table of one's own, typed as they stand there."""

import re
import shlex
from io import StringIO
from pathlib import Path

import numpy as np
import pandas
import pytest

from hpc_dl.cli import main
from hpc_dl.predictor.__main__ import main as predict_table
from tests.support import empty_store
from tests.support.typed import use_settings

HERE = Path(__file__).parent.parent.parent


def people(count=300):
    """Rows like Adult's: numbers and words, some missing, and an income that follows from them."""
    random = np.random.default_rng(0)

    def words(*them):
        return np.array(them)[random.integers(0, len(them), count)]

    table = pandas.DataFrame(
        {
            "age": random.integers(17, 80, count),
            "workclass": words("Private", "State-gov", "Self-emp-inc"),
            "education": words("HS-grad", "11th", "Masters", "7th-8th", "Bachelors"),
            "occupation": words("Adm-clerical", "Exec-managerial", "Sales", "Prof-specialty"),
            "hours-per-week": random.integers(10, 70, count).astype(float),
        }
    )
    managers = table["occupation"].isin(["Exec-managerial", "Prof-specialty"])
    score = table["age"] / 20 + table["hours-per-week"] / 20 + 2 * managers
    table["income"] = np.where(score > score.median(), ">50K", "<=50K")
    table.loc[random.random(count) < 0.05, "workclass"] = None
    table.loc[random.random(count) < 0.05, "hours-per-week"] = np.nan
    return table


def commands():
    """What the README says to type."""
    own = (HERE / "README.md").read_text().partition("## Your own data")[2]
    block = re.search(r"```\n(.*?)```", own, re.DOTALL)
    assert block is not None
    return block[1].replace("\\\n", " ").splitlines()


@pytest.mark.slow
def test_the_readmes_three_commands_train_on_words_and_gaps_and_predict_classes(
    tmp_path, monkeypatch, capsys
):
    use_settings(monkeypatch, tmp_path)
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path / "hpcdl"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    empty_store.put(tmp_path / "hpcdl")
    people().to_csv("people.csv", index=False)
    Path("jobs").symlink_to(HERE / "jobs")
    plan, train, predict = (shlex.split(line) for line in commands())
    assert plan[0] == train[0] == "hpcdl"
    assert main(plan[1:]) == 0
    assert "workclass       input    words" in capsys.readouterr().out
    assert main(train[1:]) == 0
    capsys.readouterr()
    assert predict[:3] == ["python", "-m", "hpc_dl.predictor"]
    assert predict_table(predict[3:5]) == 0
    found = pandas.read_csv(StringIO(capsys.readouterr().out))
    assert (found["class"] == people()["income"]).mean() > 0.85
    assert found.columns.tolist() == ["class", "probability of <=50K", "probability of >50K"]
