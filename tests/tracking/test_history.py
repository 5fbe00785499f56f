"""The metrics of a run that was killed, rolled back, or written by another version."""

import json
import math
import shutil
from pathlib import Path

import pytest

from hpc_dl import cli
from hpc_dl.run import journal
from hpc_dl.run.journal import Journal
from hpc_dl.tracking.sync import is_pending, sync_run
from tests.support.stores import journalled, mlflow_run, run_for, same, stored, write_history

DATA = Path(__file__).parent
KILLS = [(20, 33), (30, 30), (30, 47)]
"""The step of the checkpoint that a run resumes from, and that at which it was killed."""


def steps_and_values(run, uri):
    return {
        name: [(step, value) for step, value, _ in points]
        for name, points in stored(run, uri).items()
    }


def write_killed(run, after_each):
    """The history of 60 steps with three kills; each attempt ends in the middle of a line."""
    log, step, size = Journal(run.journal), 0, {}
    for checkpoint, killed in [*KILLS, (60, 60)]:
        write_history(log, step + 1, checkpoint)
        size.setdefault(checkpoint, log.size())
        write_history(log, max(step, checkpoint) + 1, killed)
        log.close()
        after_each()
        if killed == 60:
            return
        with run.journal.open("ab") as torn:
            torn.write(b'{"t": 1, "event": "metrics", "st')
        log, step = Journal(run.journal), checkpoint
        log.append("started", attempt="n", step=step, cut=size[checkpoint], world_size=1)


@pytest.mark.parametrize("synced", ["while it runs", "afterwards"])
def test_after_three_kills_the_history_is_that_of_an_uninterrupted_run(tmp_path, uri, synced):
    whole, killed = run_for(uri, tmp_path), run_for(uri, tmp_path)
    write_history(Journal(whole.journal), 1, 60)
    write_killed(
        killed, (lambda: sync_run(killed)) if synced == "while it runs" else (lambda: None)
    )
    sync_run(whole)
    sync_run(killed)
    assert steps_and_values(killed, uri) == steps_and_values(whole, uri)
    assert {name: len(points) for name, points in stored(killed, uri).items()} == {
        "train/loss": 60,
        "lr": 60,
        "val/loss": 12,
    }


def test_a_rolled_back_run_shows_what_it_trained_afterwards(tmp_path, uri):
    run = run_for(uri, tmp_path)
    log = Journal(run.journal)
    log.append("started", attempt="1", step=0, cut=0)
    write_history(log, 1, 10)
    checkpoint = log.size()
    log.append("metrics", step=11, epoch=0, values={"train/loss": "nan"})
    log.append("started", attempt="1", step=10, cut=checkpoint)  # with a lower rate
    log.append("metrics", step=11, epoch=0, values={"train/loss": 0.5})
    sync_run(run)
    assert steps_and_values(run, uri)["train/loss"][-1] == (11, 0.5)
    assert same(run, uri)


def test_a_journal_of_the_first_format_is_still_read(tmp_path, uri, monkeypatch, capsys):
    run = run_for(uri, tmp_path)
    shutil.copy(DATA / "journal-v1.jsonl", run.journal)
    metrics = [event for event in journal.view(run.journal) if event["event"] == "metrics"]
    assert [event["step"] for event in metrics] == [50, 50, 100, 100, 100]
    sync_run(run)
    assert not is_pending(run)
    ours, theirs = journalled(run), stored(run, uri)
    assert math.isnan(ours.pop("val/loss")[-1][1])
    assert math.isnan(theirs.pop("val/loss")[-1][1])
    assert theirs == ours
    found = mlflow_run(run, uri)
    assert found.info.status == "FINISHED"
    assert found.data.metrics["val/accuracy"] == 0.75
    assert found.data.tags["hpcdl.device"] == "cpu"
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path))
    monkeypatch.setenv("HPCDL_SITE", "generic")
    assert cli.main(["status", run.id, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["state"], said["epoch"], said["value"]) == ("completed", 2, 0.75)


STRANGE = [
    {"event": "a kind of tomorrow", "t": 1.0},
    {"event": "metrics", "step": 3},
    {"event": "metrics", "values": {"train/loss": 1.0}},
    {"event": "metrics", "t": 1.0, "step": "three", "values": {"train/loss": 1.0}},
    {"event": "metrics", "t": 1.0, "step": 4, "values": [1.0]},
    {"event": "metrics", "t": 1.0, "step": 4, "values": {"odd": None, "odder": {"a": 1}}},
    {"event": "metrics", "step": 5, "values": {"timeless": 2.5}, "more": {"of": ["it"]}},
    {"event": "system", "t": 1.0, "values": {"system/x": 1.0}},
    {"event": "artifact", "t": 1.0},
    {"event": "artifact", "t": 1.0, "path": "artifacts/not-there.png"},
    {"event": "started"},
    {"event": "started", "cut": "here", "environment": None, "t": 1.0},
    {"event": "started", "cut": 0.5, "environment": {"slurm": None}},
    {"event": "state"},
    {"event": "state", "state": "of a kind of tomorrow"},
    {"event": None},
    {"no": "event"},
    ["a list"],
]


def test_unknown_events_do_not_block_later_ones(tmp_path, uri):
    run = run_for(uri, tmp_path)
    log = Journal(run.journal)
    write_history(log, 1, 2)
    with run.journal.open("a") as other:
        other.write("".join(json.dumps(event) + "\n" for event in STRANGE))
    sync_run(run)
    write_history(log, 6, 10)
    log.append("state", state="completed", reason="all steps")
    sync_run(run)
    arrived = stored(run, uri)
    assert [step for step, _, _ in arrived["train/loss"]] == [1, 2, 6, 7, 8, 9, 10]
    assert [(step, value) for step, value, _ in arrived["timeless"]] == [(5, 2.5)]
    assert mlflow_run(run, uri).info.status == "FINISHED"
    assert len(list(journal.view(run.journal))) > 10
    assert journal.last_state(run.journal)[0] == "completed"
