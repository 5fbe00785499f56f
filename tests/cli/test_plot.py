"""`hpcdl plot`: curves of runs as a figure."""

from pathlib import Path
from typing import Any

import pytest

from hpc_dl.cli import main
from hpc_dl.comparison import curves
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


def trained(root: Path, losses: dict[int, float | str], **sections: Any) -> RunDir:
    """A run with these losses by step, and as many validations."""
    run = new_run(root, name="sw", **sections)
    log = Journal(run.journal)
    log.append("started", step=0, cut=log.size(), attempt="1.0", monitor="accuracy")
    for step, loss in losses.items():
        values = {"train/loss": loss, "train/lr": 0.1, "train/gan/loss": 1.0}
        log.append("metrics", step=step, epoch=0, values=values)
        values = {"val/loss": loss, "val/accuracy": 0.5, "val/f1": 0.1}
        log.append("metrics", step=step, epoch=0, values=values)
    log.close()
    return run


def test_curves_are_losses_and_the_monitored_metric_without_steps_that_were_trained_again(
    root: Path,
) -> None:
    run = trained(root, {1: 4.0, 2: 3.0, 3: "nan"})
    after_two = run.journal.read_bytes().index(b'"step": 3')
    log = Journal(run.journal)
    log.append("started", step=2, cut=after_two - 80, attempt="2.0", monitor="accuracy")
    log.append("metrics", step=3, epoch=0, values={"train/loss": 2.0})
    found = curves.read(run)
    assert curves.names([found]) == ["train/gan/loss", "train/loss", "val/loss", "val/accuracy"]
    assert found["train/loss"] == {1: 4.0, 2: 3.0, 3: 2.0}


def test_the_mean_is_of_the_steps_that_all_have_reached() -> None:
    found = curves.band([{1: 1.0, 2: 2.0, 3: 9.0}, {1: 3.0, 2: 2.0}])
    assert found == ([1, 2], [2.0, 2.0], [pytest.approx(2**0.5), 0.0])


def test_the_figure_names_what_differs_with_seeds_as_one_line(
    root: Path, tmp_path: Path, capsys: Capture
) -> None:
    for lr, seed in ((0.1, 0), (0.1, 1), (0.5, 0)):
        optimizer = {"name": "sgd", "lr": lr}
        trained(root, {1: 4.0, 2: 3.0 + seed}, train={"optimizer": optimizer, "seed": seed})
    file = tmp_path / "curves.svg"
    assert main(["plot", "sw-*", "-o", str(file)]) == 0
    text = file.read_text()  # matplotlib keeps the texts as comments
    for words in ("train.optimizer.lr 0.1 (2 runs)", "train.optimizer.lr 0.5", "val/accuracy"):
        assert f"<!-- {words} -->" in text
    assert text.count("FillBetweenPolyCollection") == 4  # a band in each panel
    assert main(["plot", "sw-*", "-o", str(tmp_path / "curves.jpg")]) == 2
    assert ".pdf .png .svg" in capsys.readouterr().err


def test_runs_without_curves_are_named(root: Path, tmp_path: Path, capsys: Capture) -> None:
    trained(root, {})
    assert main(["plot", "sw", "-o", str(tmp_path / "curves.pdf")]) == 2
    assert "sw-1 has no curves yet" in capsys.readouterr().err
    trained(root, {5: 1.0}, train={"seed": 1})
    assert main(["plot", "sw-*", "-o", str(tmp_path / "curves.pdf")]) == 0
    assert (tmp_path / "curves.pdf").read_bytes().startswith(b"%PDF")
