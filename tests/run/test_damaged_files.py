"""One damaged file of a run costs that run a line that names it, and no other run anything."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hpc_dl.cli import main, summary
from hpc_dl.errors import UserError
from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal, layout, records
from hpc_dl.run.journal import MAX_LINE_BYTES, Journal
from hpc_dl.run.journal_tail import open_tail
from hpc_dl.run.layout import DamagedFile, RunDir, write_json
from hpc_dl.run.submission import Submission
from hpc_dl.status import read_status, read_statuses
from tests.support.markers import nightly
from tests.support.running import new_run
from tests.support.typed import QUICK, job_file

FILES = (
    "spec.yaml",
    "plan.json",
    "submission.json",
    "provenance.json",
    "fingerprint.json",
    "journal.jsonl",
    "learning_rate.json",
    "failure-17.0.json",
    "rendezvous-17.0.json",
    "cancel-requested",
    "job.sh",
    "tracking.json",
    "logs/17-0.log",
    "logs/17-batch.log",
    "checkpoints/step-00000024/manifest.json",
    "export/model.json",
)
CONTENTS = {
    "empty": b"",
    "zeros, as after a power cut": bytes(300),
    "junk": bytes(range(255, 0, -1)) * 3,
    "half a character": '{"event": "§'.encode()[:-1],
    "a list": b"[]\n",
    "null": b"null\n",
    "an empty object": b"{}\n",
    "a number": b"3\n",
    "too deep": b"[" * 100_000,
}


def mkdir(path: Path) -> None:
    path.unlink()
    path.mkdir()


def dangle(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def cut(path: Path) -> None:
    """Leave a quarter: half of a spec, whose last keys have the values by default, may be one."""
    os.truncate(path, path.stat().st_size // 4)


def content(name: str) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(CONTENTS[name])


DAMAGES: dict[str, Callable[[Path], object]] = {
    **{name: content(name) for name in CONTENTS},
    "a quarter of it": cut,
    "missing": Path.unlink,
    "a folder": mkdir,
    "a link to nowhere": dangle,
    "a link to itself": loop,
    "a pipe": pipe,
}


def fill(run: RunDir) -> RunDir:
    """Make a prepared run one that has failed on this machine, with every file there is."""
    own = Journal(run.journal)
    own.append("started", attempt="17.0", step=0, cut=0, environment={"host": os.uname().nodename})
    own.append("metrics", step=24, epoch=1, values={"val/accuracy": 0.5})
    own.append("state", state="failed", reason="RuntimeError: boom")
    own.close()
    Submission("local", "17", os.uname().nodename, time.time(), 17).save(run)
    write_json(run.path / "failure-17.0.json", {"t": 1.0, "reason": "RuntimeError: boom"})
    write_json(run.path / "rendezvous-17.0.json", {"host": "here", "port": 17})
    write_json(run.learning_rate, {"learning_rate": 0.1, "rates": [], "losses": []})
    write_json(run.tracking, {"offset": run.journal.stat().st_size})
    write_json(run.checkpoints / "step-00000024" / "manifest.json", {"step": 24, "files": {}})
    write_json(run.export / "model.json", {})
    (run.path / "submitit").mkdir()
    others = ("submitit/17_submitted.pkl", "submitit/17_0_log.out", "cancel-requested", "job.sh")
    for name in (*others, "logs/17-0.log", "logs/17-batch.log"):
        (run.path / name).write_text("#!/bin/sh\n")
    return run


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs: `quick-1`, which is well, and one for each file, of another training."""
    root = tmp_path_factory.mktemp("template") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("HPCDL_DATA", raising=False)
        fill(new_run(root))
        other = fill(new_run(root, train={"seed": 1}))
    for number in range(3, len(FILES) + 2):
        shutil.copytree(other.path, root / f"quick-{number}", symlinks=True)
    return root


@pytest.fixture
def root(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runs"
    shutil.copytree(template, folder, symlinks=True)
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(folder))
    monkeypatch.setenv("HPCDL_SITE", "generic")
    return folder


def damaged(root: Path, file: str) -> RunDir:
    """The run that is damaged in this file."""
    return RunDir(root / f"quick-{FILES.index(file) + 2}")


@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_files_of_some_runs_do_not_affect_the_others(
    root: Path, tmp_path: Path, kind: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    for file in FILES:
        DAMAGES[kind](damaged(root, file).path / file)

    def said(*words: str) -> tuple[int, str, str]:
        code = main(words)
        out, err = capfdbinary.readouterr()
        return code, out.decode(errors="replace"), err.decode(errors="replace")

    code, out, err = said("status", "--json")
    assert code == 0, err
    shown = {one["id"]: one for one in json.loads(out)}
    assert len(shown) == 1 + len(FILES)
    assert (shown["quick-1"]["state"], shown["quick-1"]["faults"]) == ("failed", [])
    for file in _asked_by_status(kind):
        run = damaged(root, file)
        assert [f for f in shown[run.id]["faults"] if f.startswith(str(run.path / file))], file
        assert str(run.path / file) in shown[run.id]["reason"]
    code, out, _ = said("status")
    assert code == 0
    assert len(out.splitlines()) >= 2 + len(FILES)
    assert said("logs", "quick-1")[:2] == (0, "#!/bin/sh\n")
    code, out, err = said(
        "submit", job_file(tmp_path, QUICK), "--local", "--dry-run=plan", "--json"
    )
    assert code == 0, err
    assert json.loads(out)["plan"]["run_dir"] == str(root / "quick-1")
    complaints = [line for line in err.splitlines() if "spec.yaml" in line]
    assert len(complaints) == len(err.splitlines()) == 1, err
    assert str(damaged(root, "spec.yaml").spec) in complaints[0]
    for file in FILES:
        run = damaged(root, file)
        for command in ("status", "logs", "cancel"):
            code, out, err = said(command, run.id)
            assert code in (0, 1, 2, 3), err
            assert "Traceback" not in err
            assert command == "status" or code == 0 or str(run.path) in err, err


def _asked_by_status(kind: str) -> list[str]:
    """The files of which `status` has to see such a damage."""
    asked = ["submission.json", "journal.jsonl", "failure-17.0.json", "spec.yaml"]
    if kind in CONTENTS and kind != "empty":
        asked.remove("spec.yaml")  # what it says is not asked for
    if kind == "a quarter of it":
        return asked[:1] + asked[2:3]  # the beginning of a journal is one
    if kind == "missing":
        return ["spec.yaml", "journal.jsonl"]  # as a run that has not failed, or was not submitted
    return asked


STRANGE = [
    {"event": "state", "state": 3},
    {"event": "state", "state": "of tomorrow"},
    {"event": "state", "state": "failed", "t": "yesterday"},
    {"event": "state", "state": "failed", "t": 1e300},
    {"event": "state", "state": "failed", "reason": ["a list"]},
    {"event": "metrics", "t": 2.0, "step": 5, "epoch": 1, "values": [1]},
    {"event": "metrics", "t": 2.0, "step": None, "values": {"val/loss": 1.0}},
    {"event": "metrics", "t": 2.0, "step": True, "values": {"val/loss": 1.0}},
    {"event": "progress", "t": 2.0, "step": 5, "epoch": None, "steps": 10, "epochs": 2},
    {"event": "progress", "t": 2.0, "step": 5, "epoch": 1, "steps": "ten", "epochs": 2},
    {"event": "progress", "t": 2.0, "step": -5, "epoch": 1, "steps": 10, "epochs": 2},
    {"event": "progress", "t": 2.0, "step": 5, "epoch": 1, "seconds_left": "long"},
    {"event": "heartbeat", "t": 2e9, "at": [], "idle": [], "behind": ""},
    {"event": "heartbeat", "t": 2e9, "at": [1], "idle": ["x"], "behind": ""},
    {"event": "heartbeat", "at": [1], "idle": [1], "behind": ""},
    {"event": "started", "t": 2.0, "step": 1, "environment": "here"},
    {"event": "started", "t": 2.0, "step": 1, "environment": {"host": 3}},
    {"event": "started", "t": 2.0, "step": 1, "environment": {"slurm": [1]}},
    {"event": "started", "t": 2.0, "step": 1, "cut": "here"},
    {"event": "warning", "message": 3},
    {"event": "summary", "seconds": "long", "parameters": "many"},
    {"event": 3},
    ["a list"],
    "a word",
    None,
]
ODD_LINES = [
    b"\0" * 5000,
    b'{"event": "state", "state": "failed", "reason": "half \xc3',
    b'{"event": "state", "state": "failed", "t": 1' + b"0" * 5000 + b"}",
    b'{"event": "state", "more": ' + b"[" * 100_000,
    b'{"event": "state", "state": "failed", "reason": "' + b"x" * MAX_LINE_BYTES + b'"}',
]


def test_events_of_wrong_types_are_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = new_run(tmp_path)
    own = Journal(run.journal)
    own.append("progress", epoch=1, epochs=2, step=12, steps=24, seconds_left=3.0)
    own.append("metrics", step=12, epoch=0, values={"val/accuracy": 0.5})
    own.append("state", state="completed", reason="all steps")
    own.close()
    with run.journal.open("ab") as file:
        for line in [*ODD_LINES, *(json.dumps(event).encode() for event in STRANGE)]:
            file.write(line + b"\n")
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path))
    monkeypatch.setenv("HPCDL_SITE", "generic")
    assert main(["status", run.id, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["state"], said["reason"], said["faults"]) == ("completed", "all steps", [])
    assert (said["step"], said["steps"], said["epoch"], said["value"]) == (12, 24, 1, 0.5)
    assert journal.last_state(run.journal) == ("completed", "all steps")
    found = summary.summarise(run)
    assert (found.step, found.values, found.warnings) == (12, {"val/accuracy": 0.5}, [])


def test_the_newest_events_are_found_wherever_blocks_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.jsonl"
    own = Journal(path)
    for step in range(20):
        own.append("progress" if step % 7 else "metrics", step=step, epoch=0, values={"a": 1.0})
    for block in (20, 21, 33, 64, 1000):
        monkeypatch.setattr("hpc_dl.run.journal_tail.BLOCK", block)
        with open_tail(path) as found:
            assert [(found.oldest(kind) or {})["step"] for kind in ("metrics", "progress")] == [
                0,
                1,
            ]
            newest = [(found.newest(kind) or {})["step"] for kind in ("metrics", "progress")]
            assert newest == [14, 19]
            assert found.newest("state") is None


GOOD = {"backend": "slurm", "job_id": "17", "host": "n", "submitted": 1.0}


@pytest.mark.parametrize(
    "change",
    [
        {"job_id": 17},
        {"job_id": "17,18"},
        {"job_id": "all"},
        {"group": 0},
        {"group": -1},
        {"backend": 7},
        {"submitted": "NaN"},
        {"submitted": None},
        {"host": None},
    ],
)
def test_a_submission_with_a_wrong_field_is_damaged_and_one_with_more_fields_is_not(
    tmp_path: Path, change: dict[str, object]
) -> None:
    run = RunDir(tmp_path)
    write_json(run.submission, {**GOOD, "of": "tomorrow"})
    assert Submission.load(run) == Submission("slurm", "17", "n", 1.0)
    write_json(run.submission, GOOD | change)
    with pytest.raises(DamagedFile, match=rf"{run.submission} is damaged: {next(iter(change))}"):
        Submission.load(run)


def test_a_plan_with_unknown_fields_is_read_and_one_with_wrong_values_refused(
    tmp_path: Path,
) -> None:
    run = new_run(tmp_path)
    plan = layout.read_json(run.plan)
    write_json(run.plan, {**plan, "of": "tomorrow"})
    assert records.load(run.plan, Plan) == Plan.from_json(plan)
    write_json(run.plan, {**plan, "micro_batch": 0})
    with pytest.raises(DamagedFile, match=r"plan\.json is damaged: micro_batch"):
        records.load(run.plan, Plan)
    run.plan.unlink()
    with pytest.raises(DamagedFile, match=r"plan\.json is missing"):
        records.load(run.plan, Plan)


def test_other_files_are_not_taken_for_runs(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = len(layout.list_runs(root))
    (root / "x-1").touch()
    (root / "y-1").mkdir()
    (root / "z-1").symlink_to("nowhere")
    (root / "quick-99").mkdir()
    (root / "mlflow-artifacts").mkdir()
    assert len(layout.list_runs(root)) == known
    assert main(["status", "--all"]) == 0
    assert "99" not in capsys.readouterr().out


@pytest.mark.parametrize("words", [["status"], ["sync"], ["logs", "latest"]])
def test_a_file_in_the_place_of_the_run_root_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path / "runs"))
    monkeypatch.setenv("HPCDL_SITE", "generic")
    (tmp_path / "runs").touch()
    assert main(words) == 2
    assert f"{tmp_path}/runs is no folder" in capsys.readouterr().err
    with pytest.raises(UserError, match="is no folder"):
        layout.create(tmp_path / "runs", "x")


def test_a_run_removed_during_a_query_does_not_affect_the_others(root: Path) -> None:
    found = layout.list_runs(root)
    shutil.rmtree(found[3].path)
    statuses = read_statuses(found)
    assert statuses[3].state == "unknown"
    assert str(found[3].path) in statuses[3].reason
    assert {one.state for one in statuses[:3] + statuses[4:]} == {"failed"}


def test_a_run_whose_journal_is_lost_is_unknown_and_not_failed(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    Submission("local", "1", os.uname().nodename, 0.0, 1).save(run)
    run.journal.write_bytes(b"\0" * 1000)
    status = read_status(run)
    assert (status.state, status.active) == ("unknown", False)
    assert str(run.journal) in status.reason
    assert run.journal.read_bytes() == b"\0" * 1000


def test_a_job_that_may_be_running_is_not_submitted_again(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody knows which job it was, and the run has not ended: there may be one."""
    run = RunDir(root / "quick-1")
    Journal(run.journal).append("state", state="running", reason="1 rank")
    shutil.rmtree(run.path / "submitit")
    shutil.rmtree(run.logs)
    run.submission.write_bytes(b"")
    status = read_status(run)
    assert (status.state, status.active, status.job_id) == ("running", True, None)
    assert main(["submit", job_file(tmp_path), "--local"]) == 2
    said = capsys.readouterr().err
    assert f"may be training this already: {run.submission} is damaged: it is empty" in said
    assert "--new" in said
    assert main(["cancel", "quick-1"]) == 2
    assert str(run.submission) in capsys.readouterr().err
    run.submission.unlink()  # as the hint says
    assert not read_status(run).active


@pytest.mark.slow
@pytest.mark.parametrize("file", [nightly("spec.yaml"), "plan.json", nightly("journal.jsonl")])
def test_a_worker_reports_a_damaged_file_in_one_line(tmp_path: Path, file: str) -> None:
    run = new_run(tmp_path)
    if file == "journal.jsonl":
        mkdir(run.journal)
    else:
        (run.path / file).write_bytes(b"")
    command = [sys.executable, "-m", "hpc_dl.worker", str(run.path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 1
    assert f"error: {run.path / file}" in done.stderr
    assert "Traceback" not in done.stderr
    if file != "journal.jsonl":
        state, reason = journal.last_state(run.journal)
        assert state == "failed"
        assert reason.startswith(str(run.path / file))
