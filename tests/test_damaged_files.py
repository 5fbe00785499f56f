"""One damaged file of a run costs that run a line that names it, and no other run anything."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hpc_dl.cli import main
from hpc_dl.journal import Journal
from hpc_dl.rundir import RunDir, write_json
from hpc_dl.submission import Submission
from tests.running import new_run
from tests.typed import QUICK, job_file

FILES = (
    "spec.yaml",
    "plan.json",
    "submission.json",
    "provenance.json",
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


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def content(name: str) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(CONTENTS[name])


DAMAGES: dict[str, Callable[[Path], object]] = {
    **{name: content(name) for name in CONTENTS},
    "half of it": halve,
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
def test_whatever_is_damaged_in_some_runs_the_others_are_as_before(
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
    if kind == "half of it":
        return asked[:1] + asked[2:3]  # the beginning of a journal is one
    if kind == "missing":
        return ["spec.yaml", "journal.jsonl"]  # as a run that has not failed, or was not submitted
    return asked
