"""`hpcdl compare`: options that differ, and test metrics over seeds."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest

from hpc_dl.cli import main
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from tests.support.running import new_run

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all runs that hpcdl finds."""
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path / "runs"))
    monkeypatch.setenv("HPCDL_SITE", "generic")
    return tmp_path / "runs"


def finished(root: Path, accuracy: float | str | None, name: str = "sw", **sections: Any) -> RunDir:
    """A run with this accuracy in its test; one that trains where that is None."""
    run = new_run(root, name=name, **sections)
    log = Journal(run.journal)
    log.append("state", state="running")
    if accuracy is not None:
        log.append("summary", values={"test/accuracy": accuracy, "test/f1_macro": 0.5})
        log.append("state", state="completed", reason="all steps")
    log.close()
    return run


def sgd(lr: float, seed: int) -> dict[str, Any]:
    return {"optimizer": {"name": "sgd", "lr": lr}, "seed": seed}


def test_seeds_are_one_row_with_mean_and_sample_deviation(root: Path, capsys: Capture) -> None:
    for seed, accuracy in enumerate((0.80, 0.90, 0.85)):
        finished(root, accuracy, f"sw-low-{seed}", train=sgd(0.01, seed))
    finished(root, 0.7, "sw-high", train=sgd(0.5, 0))
    finished(root, None, "sw-high", train=sgd(0.5, 1))
    assert main(["compare", "sw-*"]) == 0
    head, low, high, over = capsys.readouterr().out.splitlines()
    columns = ["run", "train.optimizer.lr", "train.seed", "n", "state", "test accuracy"]
    assert head.split("  ")[0] == "run"
    assert [column for column in columns if column in head] == columns
    assert "epochs" not in head
    assert "0.85 ± 0.05" in low
    assert "sw-low-0-1, sw-low-1-1, sw-low-2-1" in low
    assert all(it in high for it in ("0.5", "1 of 2", "1 completed, 1 running", "0.7"))
    assert over == "mean ± sample standard deviation over train.seed"


def test_csv_has_all_digits_and_latex_is_escaped(
    root: Path, tmp_path: Path, capsys: Capture
) -> None:
    values = (0.123456789, 0.2)
    for seed, accuracy in enumerate(values):
        finished(root, accuracy, "a_b", train=sgd(0.1, seed))
    finished(root, "nan", "c", train=sgd(0.2, 0))
    assert main(["compare", "*", "--csv"]) == 0
    first, second = csv.DictReader(capsys.readouterr().out.splitlines())
    assert (first["runs"], first["n"], first["train.seed"]) == ("a_b-1 a_b-2", "2", "0 1")
    assert float(first["test/accuracy"]) == pytest.approx(sum(values) / 2, abs=1e-12)
    sd = (values[1] - values[0]) / math.sqrt(2)
    assert float(first["test/accuracy_sd"]) == pytest.approx(sd, abs=1e-12)
    assert (second["test/accuracy"], second["test/f1_macro_sd"]) == ("nan", "")
    file = tmp_path / "table.tex"
    assert main(["compare", "*", "--latex", str(file)]) == 0
    text = file.read_text()
    assert r"a\_b-1, a\_b-2 & 0.1 & " in text
    assert r" $\pm$ " in text
    assert text.count("&") == 3 * text.splitlines()[3].count("&")
    assert main(["compare", "*", "--latex", str(file)]) == 2
    assert "--force" in capsys.readouterr().err


def test_runs_without_a_test_or_with_damage_are_told_apart(root: Path, capsys: Capture) -> None:
    finished(root, None, train=sgd(0.1, 0))
    finished(root, 0.9, train=sgd(0.2, 0)).spec.write_text("model: {")
    assert main(["compare", "sw*", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    ((one,),) = ([it["runs"] for it in found["groups"]],)
    assert (one[0]["id"], one[0]["state"], one[0]["test"]) == ("sw-1", "running", {})
    assert "sw-2 is left out" in found["notes"][0]


def test_other_architectures_have_only_the_columns_that_their_name_leaves_open(
    root: Path, capsys: Capture
) -> None:
    finished(root, 0.5, "a", model={"name": "ffnn", "hidden": [32], "dropout": 0.1})
    finished(root, 0.6, "b", model={"name": "ffnn", "hidden": [64], "dropout": 0.1})
    finished(
        root,
        0.7,
        "c",
        model={"name": "cnn", "dropout": 0.1},
        train={"early_stopping": {"patience": 2}},
    )
    assert main(["compare", "*", "--csv", "-"]) == 0
    first, *_, last = csv.DictReader(capsys.readouterr().out.splitlines())
    options = [key for key in first if key.startswith(("model", "train", "data"))]
    stopping = ["train.early_stopping.patience", "train.early_stopping.min_delta"]
    assert options == ["model.name", "model.hidden", *stopping]
    assert (first["model.hidden"], last["model.hidden"], last[stopping[0]]) == (
        "[32]",
        "[128]",
        "2",
    )


def test_the_same_training_twice_is_no_repetition(root: Path, capsys: Capture) -> None:
    finished(root, 0.5)
    finished(root, 0.7)
    finished(root, None)
    assert main(["compare", "sw-*", "--csv", "-"]) == 0
    out, notes = capsys.readouterr()
    (only,) = csv.DictReader(out.splitlines())
    assert (only["runs"], only["test/accuracy"], only["test/accuracy_sd"]) == ("sw-2", "0.7", "")
    assert notes.count("is left out: sw-2 has the same options and seeds") == 2


def test_other_code_and_other_data_are_no_repetition(root: Path, capsys: Capture) -> None:
    for seed in (0, 1):
        run = finished(root, 0.5, train={"seed": seed})
        run.fingerprint.write_text(json.dumps({"digest": str(seed), "parts": {"x": f"{seed}"}}))
    main(["compare", "sw-*"])
    assert "sw-2 had other data than sw-1" in capsys.readouterr().err
    run.code.mkdir(exist_ok=True)
    (run.code / "net.py").write_text("")
    main(["compare", "sw-*", "--csv", "-"])
    assert [row["runs"] for row in csv.DictReader(capsys.readouterr().out.splitlines())] == [
        "sw-1",
        "sw-2",
    ]
