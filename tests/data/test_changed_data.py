"""Other data under the same path: what submit, resume, a job and MLflow make of them."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest

from hpc_dl.cli import main, run_choice
from hpc_dl.cli.preview import sentence
from hpc_dl.data import fingerprint
from hpc_dl.data.changes import describe_changes
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.load import load
from hpc_dl.jobspec.sources.tables import Csv
from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal, records
from hpc_dl.run.layout import read_json, write_json
from hpc_dl.submission.snapshot import Snapshot
from hpc_dl.tracking.sync import sync_run
from tests.support import ranks, reading
from tests.support.running import QUICK, new_run
from tests.support.stores import mlflow_run, run_for


def write(folder, flip=0):
    """A table of two classes, the same size whichever way they are told."""
    number = np.arange(64)
    table = pandas.DataFrame({"x": number / 10, "y": (number + flip) % 2})
    table.to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


def a_run(tmp_path, **train):
    path = write(tmp_path)
    data = {"name": "csv", "path": str(path), "target": "y", "batch_size": 16}
    return new_run(tmp_path / "runs", data=data, train={"epochs": 2, **train})


def lose(path):
    path.unlink()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lose, "data.path: there is no file "),
        (pipe, "data.path: .* is no regular file, but a pipe"),  # which a job would wait for
    ],
)
def test_what_stands_in_the_place_of_a_file_when_the_job_starts_is_named(tmp_path, damage, message):
    path = write(tmp_path)
    data = Csv(name="csv", path=str(path), target="y", batch_size=16)
    facts = reading.describe(data, Path())
    damage(path)
    with pytest.raises(UserError, match=message):
        reading.take_fingerprint(data, JobSpec.model_validate(QUICK).model, Path(), facts)


def test_facts_that_changed_are_named_with_both_values():
    then = DataFacts.of("table", "classify", (5,), ("a", "b"), 10, 2, 2)
    now = DataFacts.of("table", "classify", (5,), tuple("abcdefgh"), 10, 3, 2)
    assert describe_changes(then, now) == (
        "classes (a, b, c, d, e and 3 more) now, (a, b) then; validation 3 now, 2 then"
    )
    assert describe_changes(then, replace(then, undirected=True)) == "they differ in undirected"


def test_only_who_wrote_a_function_is_told_to_give_it_a_seed(tmp_path):
    run = a_run(tmp_path)
    facts = records.load(run.plan, Plan).facts
    other = fingerprint.Fingerprint("0", {"data.path": "0"})
    for contents, expected in (((), False), ((("train/x", "0"),), True)):
        with pytest.raises(UserError) as refused:
            fingerprint.check(run, other, replace(facts, contents=contents))
        assert ("random numbers" in refused.value.hint) is expected


def ended(run, state, step=None):
    log = journal.Journal(run.journal)
    log.append("state", state=state, reason="")
    log.close()
    if step:
        (run.checkpoints / f"step-{step:08d}").mkdir()
    return run


def choice(run):
    spec = load(run.spec)
    now = reading.take_fingerprint(
        spec.data, spec.model, Path(), reading.describe(spec.data, Path())
    )
    return run_choice.choose(run.root, spec, Snapshot(), now)


def test_a_completed_run_of_other_data_is_not_trained_already(tmp_path):
    run = ended(a_run(tmp_path), "completed")
    assert choice(run).action == "is_complete"
    write(tmp_path, flip=1)
    found = choice(run)
    assert (found.action, found.run) == ("start", None)
    assert sentence(found, "quick-2") == (
        f"quick-2, a new run: {run.id} had other data (data.path changed)"
    )
    write(tmp_path)
    assert choice(run).action == "is_complete"


def test_a_run_that_stopped_halfway_does_not_go_on_with_other_data(tmp_path):
    run = ended(a_run(tmp_path), "failed")
    write(tmp_path, flip=1)
    assert choice(run).action == "start"  # nothing was trained yet: a new run, and it says so
    ended(run, "failed", step=3)
    with pytest.raises(
        UserError, match=r"other data \(data\.path changed\), and stopped at step 3"
    ):
        choice(run)
    write(tmp_path)
    assert choice(run).action == "resume"


def test_an_older_run_of_the_data_that_are_there_goes_on(tmp_path):
    first = ended(a_run(tmp_path), "stopped", step=3)
    other = ended(a_run(tmp_path), "completed")
    said = read_json(other.fingerprint)
    write_json(other.fingerprint, {**said, "parts": {"data.path": "0"}})
    assert choice(first).run == first


@pytest.mark.parametrize("fault", ["missing", "damaged"])
def test_a_run_whose_data_are_not_known_is_not_taken_for_the_same(tmp_path, fault):
    run = ended(a_run(tmp_path), "completed")
    run.fingerprint.unlink()
    if fault == "damaged":
        run.fingerprint.write_text("{")
    assert choice(run).changed == f"the data of {run.id} are not known"


def test_a_run_of_before_there_were_fingerprints_goes_on_if_the_user_says_so(tmp_path, capsys):
    run = ended(a_run(tmp_path), "failed", step=3)
    now = records.load(run.fingerprint, fingerprint.Fingerprint)
    run.fingerprint.unlink()
    with pytest.raises(UserError, match=f"the data of {run.id} are not known") as refused:
        choice(run)
    assert f"`hpcdl resume {run.id}` resumes it, if you know" in refused.value.hint
    fingerprint.check(run, now, records.load(run.plan, Plan).facts)
    assert f"{run.id} has no fingerprint" in capsys.readouterr().err


def test_resume_refuses_other_data_and_says_what_to_do(tmp_path, monkeypatch, capsys):
    run = ended(a_run(tmp_path), "failed", step=3)
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(run.root))
    write(tmp_path, flip=1)
    assert main(["resume", run.id, "--local"]) == 2
    said = capsys.readouterr().err
    assert f"the data of {run.id} have changed since it was submitted: data.path changed" in said
    assert "hpcdl submit --new" in said


def test_resume_refuses_another_monitor_and_leaves_the_run_as_it_is(tmp_path, monkeypatch, capsys):
    run = ended(a_run(tmp_path), "failed", step=3)
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(run.root))
    before = run.spec.read_text()
    for word in ("checkpoint.monitor=loss", "checkpoint={monitor: loss}"):
        assert main(["resume", run.id, word, "--local"]) == 2
        assert "another checkpoint.monitor would make it another" in capsys.readouterr().err
    assert run.spec.read_text() == before


def test_the_plan_shows_the_fingerprint_and_which_run_had_other_data(tmp_path, monkeypatch, capsys):
    run = ended(a_run(tmp_path), "completed")
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(run.root))

    def plan():
        assert main(["submit", str(run.spec), "--dry-run=plan", "--local", "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    before = plan()
    assert "has trained this already" in before["run"]
    assert before["plan"]["fingerprint"] == read_json(run.fingerprint)["digest"]
    write(tmp_path, flip=1)
    after = plan()
    assert after["run"] == f"quick-2, a new run: {run.id} had other data (data.path changed)"
    assert after["plan"]["fingerprint"] != before["plan"]["fingerprint"]


def test_the_run_folder_notes_the_data(tmp_path):
    run = a_run(tmp_path)
    noted = read_json(run.fingerprint)
    assert list(noted["parts"]) == ["data.path"]
    assert read_json(run.provenance)["data"] == noted["digest"]


def attempt(run):
    """Have a rank train as far as it comes; what it has printed."""
    with ranks.ended(ranks.start(run)) as processes:
        for process in processes:
            process.join(120)
    return "".join(log.read_text() for log in run.logs.glob("*.log"))


def test_a_job_does_not_resume_with_inverted_labels(tmp_path):
    run = a_run(tmp_path)
    plan = read_json(run.plan)
    write_json(run.plan, {**plan, "pause_at": 2})
    attempt(run)
    assert journal.last_state(run.journal)[0] == "paused"
    assert list(run.checkpoints.glob("step-*2"))
    write_json(run.plan, plan)
    write(tmp_path, flip=1)
    said = attempt(run)
    assert "have changed since it was submitted: data.path changed" in said
    assert journal.last_state(run.journal)[0] != "completed"
    write(tmp_path)
    attempt(run)
    assert journal.last_state(run.journal)[0] == "completed"


def test_each_split_is_a_data_set_in_mlflow(tmp_path, uri):
    run = run_for(uri, tmp_path)
    journal.Journal(run.journal).append("state", state="running", reason="")
    sync_run(run)
    run.tracking.unlink()  # as if it had been killed before it could remember
    sync_run(run)
    found = mlflow_run(run, uri).inputs.dataset_inputs
    splits = {it.tags[0].value: it.dataset for it in found}
    assert {split: it.name for split, it in splits.items()} == {
        "training": "digits",
        "validation": "digits (validation)",
        "test": "digits (test)",
    }
    assert len(found) == 3
    assert {it.digest for it in splits.values()} == {read_json(run.fingerprint)["digest"]}
    sizes = {split: json.loads(it.profile)["examples"] for split, it in splits.items()}
    assert sizes == {"training": 1437, "validation": 180, "test": 180}
    (columns,) = {it.schema for it in splits.values()}
    assert {"name": "image", "type": "float (1, 8, 8)"} in json.loads(columns)["mlflow_colspec"]
