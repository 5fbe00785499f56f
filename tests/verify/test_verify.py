"""`hpcdl verify` trains recipes and compares their metrics with targets."""

import argparse
import json
import subprocess

import pytest

from hpc_dl.cli import main, verify
from hpc_dl.errors import UserError
from hpc_dl.jobspec.load import load
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.verify import recipes, results, targets
from hpc_dl.verify.results import Result
from hpc_dl.verify.targets import TARGETS, Check, Target
from tests.support.empty_store import put

QUICK = Target(
    "quick",
    "ffnn",
    ("train.epochs=1", "resources.cpus_per_task=1"),
    (
        Check("test/accuracy", 0.3),
        Check("test/loss", 0.001, at="most"),
        Check("test/f1_macro"),
        Check("test/top5", goal_from="other"),
    ),
    seeds=2,
    cases=("model.dropout=0.1",),
)


@pytest.mark.nightly
def test_the_mean_over_seeds_and_cases_is_compared_with_the_target_and_saved(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(targets, "TARGETS", (QUICK,))
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path))
    put(tmp_path)
    assert main(["verify", "quick", "--local", "--json"]) == 1  # the loss is missed
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads((tmp_path / "verified.json").read_text())
    accuracy, loss, f1, top5 = (Result(**it) for it in said)
    assert [len(it.values) for it in (accuracy, loss, f1, top5)] == [2, 2, 2, 2]
    assert [it.met for it in (accuracy, loss, f1, top5)] == [True, False, None, None]
    assert accuracy.minutes > 0
    assert accuracy.device.startswith("1 thread of ")
    runs = sorted(path.name for path in tmp_path.glob("verify-*.s1-*"))
    assert runs == ["verify-quick-0.s1-1", "verify-quick-0.s1-2"]
    assert accuracy.values == [final(tmp_path / run) for run in runs]
    assert accuracy.values[0] != accuracy.values[1]
    # What is trained is not trained again.
    assert main(["verify", "quick", "--local", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == said
    assert len(list(tmp_path.glob("verify-*.s*-*"))) == 2


def final(run):
    lines = (run / "journal.jsonl").read_text().splitlines()
    metrics = [json.loads(line) for line in lines if '"test/accuracy"' in line]
    return metrics[-1]["values"]["test/accuracy"]


def test_the_goal_can_be_the_mean_of_another_recipe():
    other = Result("other", "test/frechet", [3.0, 5.0], None, "most", 1.0, "cpu", "")
    better = Result("this", "test/frechet", [3.9], other.mean, "most", 1.0, "cpu", "")
    worse = Result("this", "test/frechet", [4.1], other.mean, "most", 1.0, "cpu", "")
    assert (better.met, worse.met) == (True, False)
    check = Check("test/frechet", at="most", goal_from="other")
    assert results._goal(check, [], {("other", "test/frechet"): other}) == 4.0


def test_the_strictest_goal_counts_also_a_multiple_of_other_metrics_of_the_same_runs(tmp_path):
    runs = [RunDir(tmp_path / name) for name in "ab"]
    for run, baseline in zip(runs, (0.1, 0.2), strict=True):
        run.path.mkdir()
        Journal(run.journal).append("metrics", step=1, values={"test/f1_dictionary": baseline})
    check = Check("test/f1", 0.15, baselines=("test/f1_dictionary",), times=2)
    assert results._goal(check, runs, {}) == pytest.approx(0.3)
    assert check.described_goals == (0.15, "2 test/f1_dictionary")
    lower = Check("test/f1", 0.2, at="most", baselines=("test/f1_dictionary",), times=2)
    assert results._goal(lower, runs, {}) == 0.2


def test_an_unknown_recipe_is_refused_with_a_suggestion():
    with pytest.raises(UserError) as caught:
        targets.choose(["resnt"])
    assert "Did you mean 'resnet'?" in caught.value.hint


def test_a_recipe_is_chosen_by_its_name_and_several_by_their_job_file() -> None:
    assert [it.name for it in targets.choose(["translation"])] == ["translation"]
    assert [it.name for it in targets.choose(["autoencoder"])] == ["denoise", "anomaly"]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_every_target_names_a_shipped_job_and_existing_options(target):
    for case in target.cases or ("",):
        load(recipes.path(target.job), [*target.overrides, *filter(None, [case])])
    for check in target.checks:
        assert check.goal_from is None or check.goal_from in [it.name for it in TARGETS]


def test_the_list_shows_the_targets(capsys):
    assert main(["verify", "--list"]) == 0
    assert "test/accuracy >= 0.984" in capsys.readouterr().out


def test_seeds_are_trained_as_one_sweep_on_the_same_split(monkeypatch, tmp_path):
    asked = []

    def submit(command, **options):
        asked.append(command)
        path = str(tmp_path / "verify-ffnn.s1")
        return subprocess.CompletedProcess(command, 0, json.dumps({"path": path}))

    monkeypatch.setattr(verify.subprocess, "run", submit)
    args = argparse.Namespace(words=[], local=True, site=None)
    runs = verify._train(targets.find("ffnn"), 2, args)
    assert [[it.id for it in of_seed] for of_seed in runs] == [
        ["verify-ffnn.s1-1"],
        ["verify-ffnn.s1-2"],
    ]
    (command,) = asked
    assert {"--sweep", "sweep.seeds=2", "name=verify-ffnn"} <= set(command)
    assert not [word for word in command if word.startswith(("train.seed", "data.split_seed"))]
