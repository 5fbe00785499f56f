"""hpcdl's own code in a run: what runs is what was there at submission."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import hpc_dl
from hpc_dl.cli import clean, main
from hpc_dl.errors import UserError
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir, create, read_json
from hpc_dl.scheduler.slurm.script import job_script
from hpc_dl.submission import hpcdl_code, provenance, resumed_code
from tests.support import shared_code
from tests.support.cluster import Cluster
from tests.support.running import events, new_run, wait_for_end
from tests.support.slurm_runs import job_of, plan_for
from tests.support.typed import job_file, use_settings

Edit = Callable[[str], None]
WORKER = """
import sys
from pathlib import Path

from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir


class TrainJob:
    def __init__(self, run_dir, mark=""):
        self.run_dir = run_dir

    def __call__(self):
        print({said!r})
        log = Journal(RunDir(Path(self.run_dir)).journal)
        log.append("state", state="stopped", reason={said!r})
        log.close()
        return "stopped"


if __name__ == "__main__":
    TrainJob(sys.argv[1])()
"""
"""A worker that says which code it is, and does not train."""


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, it in shared_code.ITSELF.items():
        monkeypatch.setattr(hpcdl_code, name, it)
    use_settings(monkeypatch, tmp_path)


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """Become a process whose hpcdl is a small package, edited to hold these words."""
    folder = tmp_path / "checkout" / "hpc_dl"
    (folder / "sites").mkdir(parents=True)
    (folder / "sites" / "laptop.yaml").write_text("name: laptop\n")
    (folder / "__init__.py").write_text('__version__ = "7.0"\n')
    (folder / ".#worker.py").symlink_to("me@laptop.17")  # as Emacs locks a file
    monkeypatch.setattr(hpc_dl, "__version__", "7.0")
    monkeypatch.setattr(hpc_dl, "__file__", str(folder / "__init__.py"))

    def edited(words: str) -> None:
        (folder / "worker.py").write_text(f"# {words}\n")
        hpcdl_code._files.cache_clear()

    return edited


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """A whole checkout for the processes of a test, edited to have a worker that says so."""
    folder = tmp_path / "checkout" / "hpc_dl"
    shutil.copytree(hpcdl_code.package(), folder)  # with bytecode: that saves seconds
    monkeypatch.setenv("PYTHONPATH", str(folder.parent))

    def edited(said: str) -> None:
        (folder / "worker.py").write_text(WORKER.format(said=said))

    return edited


def hpcdl(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-P", "-m", "hpc_dl", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_runs_of_the_same_code_share_a_copy_that_no_edit_reaches(
    tmp_path: Path, edit: Edit
) -> None:
    edit("first")
    first, second, third = (create(tmp_path / "runs", "quick") for _ in range(3))
    for run in (first, second):
        hpcdl_code.freeze(run)
    edit("edited")
    hpcdl_code.freeze(third)
    assert first.hpcdl.resolve() == second.hpcdl.resolve() != third.hpcdl.resolve()
    assert (first.hpcdl / "hpc_dl" / "worker.py").read_text() == "# first\n"
    assert (first.hpcdl / "hpc_dl" / "sites" / "laptop.yaml").exists()
    assert hpcdl_code.frozen(third) == hpcdl_code.current()
    assert hpcdl_code.changed_files(first) == ["worker.py"]
    (tmp_path / "runs").rename(tmp_path / "moved")
    assert hpcdl_code.frozen(RunDir(tmp_path / "moved" / "quick-3")) == hpcdl_code.current()


def test_a_copy_that_no_run_has_any_more_is_named(tmp_path: Path, edit: Edit) -> None:
    root, copies = tmp_path / "runs", []
    assert hpcdl_code.unreferenced(root) == []
    for words in ("first", "second"):
        edit(words)
        run = create(root, "quick")
        hpcdl_code.freeze(run)
        copies.append(run.hpcdl.resolve())
    assert hpcdl_code.unreferenced(root) == []
    shutil.rmtree(root / "quick-1")
    left = copies[0].with_name(f"{copies[0].name}.17.tmp")
    left.mkdir()
    assert hpcdl_code.unreferenced(root) == [copies[0], left]
    shown = {it.name: it.why for it in clean._leftovers(root)}
    assert shown[str(copies[0])] == "a copy of hpcdl that no run has"
    assert str(copies[1]) not in shown
    hpcdl_code.remove_unreferenced(root)
    assert list(copies[0].parent.iterdir()) == [copies[1]]


def test_a_copy_of_which_the_file_system_has_removed_files_is_made_anew(
    tmp_path: Path, edit: Edit
) -> None:
    edit("first")
    run = create(tmp_path / "runs", "quick")
    hpcdl_code.freeze(run)
    (run.hpcdl / "hpc_dl" / "worker.py").unlink()
    assert hpcdl_code.frozen(run) is None
    hpcdl_code.freeze(run)
    assert hpcdl_code.frozen(run) == hpcdl_code.current()


def test_other_code_without_a_copy_of_the_first_is_refused_unless_it_is_asked_for(
    tmp_path: Path, edit: Edit, capsys: pytest.CaptureFixture[str]
) -> None:
    edit("first")
    run = new_run(tmp_path / "runs")
    first = hpcdl_code.current()
    edit("second")
    second, before = hpcdl_code.current(), run.journal.read_bytes()
    assert main(["resume", "quick", "--local"]) == 2
    said = capsys.readouterr().err
    assert f"this is hpcdl {second}, and quick-1 was submitted with {first}" in said
    assert "`hpcdl resume quick-1 --code current`" in said
    assert run.journal.read_bytes() == before
    run.provenance.write_text("{")
    resumed_code.hand_over(run)
    assert "does not say which hpcdl it was trained with" in capsys.readouterr().err


def test_a_job_that_sees_other_code_goes_on_only_where_none_has_trained(
    tmp_path: Path, edit: Edit, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a container that has an hpcdl of its own."""
    edit("first")
    run = new_run(tmp_path / "runs")
    first = str(hpcdl_code.current())
    resumed_code.check(run)
    edit("second")
    second = str(hpcdl_code.current())
    resumed_code.check(run)
    warned = [it["message"] for it in events(run, "warning")]
    assert warned == [f"this job imports hpcdl {second}, and quick-1 was submitted with {first}"]
    log = Journal(run.journal)
    log.append("started", step=0, environment={"hpcdl": second})
    resumed_code.check(run)
    log.append("started", step=4, environment={"hpcdl": first})
    with pytest.raises(UserError, match="--code current"):
        resumed_code.check(run)
    assert main(["status", "quick"]) == 0
    shown = capsys.readouterr().out
    assert f"hpcdl {first}; this is {second}" in shown
    assert f"from step 4 on hpcdl {first}, before {second}" in shown


def test_the_script_of_a_job_runs_the_submitted_code(
    tmp_path: Path, checkout: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout("as submitted")
    run = new_run(tmp_path / "runs")
    with monkeypatch.context() as there:
        there.setattr(hpc_dl, "__file__", f"{os.environ['PYTHONPATH']}/hpc_dl/__init__.py")
        hpcdl_code.freeze(run)
    checkout("edited")
    srun = tmp_path / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text('#!/bin/sh\nwhile [ "${1#--}" != "$1" ]; do shift; done\nexec "$@"\n')
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", str(srun.parent), prepend=os.pathsep)
    run.script.write_text(job_script(plan_for(run.path)))
    done = subprocess.run(["bash", run.script], capture_output=True, text=True, check=True)
    assert done.stdout == "as submitted\n"


@pytest.mark.slow
def test_a_run_is_resumed_with_its_own_code(
    tmp_path: Path, checkout: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout("first code")
    with monkeypatch.context() as there:
        there.setattr(hpc_dl, "__file__", f"{os.environ['PYTHONPATH']}/hpc_dl/__init__.py")
        run = new_run(tmp_path / "runs")
        hpcdl_code.freeze(run)
    checkout("second code")
    done = hpcdl("resume", "quick", "--local")
    assert wait_for_end(run) == ("stopped", "first code")
    assert "quick-1 goes on with the hpcdl of its submission" in done.stderr
    noted = read_json(run.provenance)
    assert noted["hpcdl"]["digest"] == noted["resumed"][0]["hpcdl"]["digest"]


def test_other_code_that_is_asked_for_is_noted(tmp_path: Path, edit: Edit) -> None:
    """As `hpcdl resume --code current` does before it submits the job."""
    edit("first")
    run = new_run(tmp_path / "runs")
    hpcdl_code.freeze(run)
    first = hpcdl_code.current()
    edit("second")
    second = hpcdl_code.current()
    provenance.add_resumption(run)
    hpcdl_code.freeze(run)
    assert [it["message"] for it in events(run, "warning")] == [
        f"goes on with hpcdl {second}, and quick-1 was submitted with {first}; "
        "different files: worker.py"
    ]
    assert read_json(run.provenance)["hpcdl"]["digest"] == first.digest
    assert provenance.code_of(run) == hpcdl_code.frozen(run) == second
    resumed_code.check(run)


@pytest.mark.nightly
def test_an_edit_while_a_job_waits_does_not_reach_it(
    cluster: Cluster, tmp_path: Path, checkout: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", cluster.env["SLURM_CONF"])
    monkeypatch.setenv("HPCDL_SITE", "test-cluster")
    sent = hpcdl("submit", job_file(tmp_path), "resources.slurm.hold=true")
    assert sent.returncode == 0, sent.stderr
    checkout("edited")
    run = RunDir(tmp_path / "runs" / "quick-1")
    cluster.run("scontrol", "release", job_of(run))
    assert wait_for_end(run) == ("completed", "24 steps trained: all steps")
    shown = json.loads(hpcdl("status", "quick", "--json").stdout)["code"]
    assert shown["differs"]
    (started,) = events(run, "started")
    assert started["environment"]["hpcdl"] == shown["hpcdl"] != shown["current"]
