"""What a run folder holds before anything is submitted."""

import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import hpc_dl
from hpc_dl import cli
from hpc_dl.errors import UserError
from hpc_dl.jobspec.load import load
from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir, read_json
from hpc_dl.submission import prepare
from hpc_dl.submission.reopen import reopen
from hpc_dl.user_code import load_object
from tests.support.running import QUICK, new_run

pytestmark = pytest.mark.usefixtures("forked_check")

NET = """
from hpc_dl.zoo.architectures.ffnn import FeedForward

class Net(FeedForward):
    def networks(self):
        return {}
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def git_init(folder: Path, branch: str) -> None:
    git(folder, "init", "-q", "-b", branch)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")


def own_model(tmp_path: Path, name: str = "net.py:Net", **options: Any) -> RunDir:
    model = {"name": name, **options}
    return new_run(tmp_path / "runs", tmp_path / "base", checked=True, model=model)


def test_a_prepared_run_is_complete(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    assert load(run.spec).name == "quick"
    assert Plan.from_json(read_json(run.plan)).run_dir == str(run.path)
    assert journal.last_state(run.journal)[0] == "planned"
    for folder in (run.logs, run.checkpoints, run.artifacts, run.path):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_a_site_lets_others_see_they_see_in_all_of_a_runs_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, job = tmp_path / "site.yaml", tmp_path / "job.yaml"
    site.write_text(f"name: open\nruns_readable_by: group\nrun_root: {tmp_path}/runs\n")
    job.write_text(yaml.safe_dump(QUICK))
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    words = [str(job), "--site", str(site), "--prepare", str(tmp_path / "runs" / "quick-1")]
    assert cli.main(["submit", *words]) == 0
    run = RunDir(tmp_path / "runs" / "quick-1")
    for folder in (run.logs, run.checkpoints, run.artifacts, run.path):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o750


def test_provenance_names_the_commit_and_what_differs_from_it(tmp_path: Path) -> None:
    base = tmp_path / "base"
    write(base / "net.py", "size = 1\n")
    git_init(base, "main")
    clean = read_json(new_run(tmp_path / "runs", base).provenance)["git"]["own"]
    write(base / "net.py", "size = 2\n")
    write(base / "new.py", "")
    run = new_run(tmp_path / "runs", base)
    dirty = read_json(run.provenance)["git"]["own"]
    assert clean["commit"] == dirty["commit"] == git(base, "rev-parse", "HEAD")
    assert (clean["dirty"], dirty["dirty"]) == (False, True)
    diff = run.diff.read_text()
    assert "-size = 1\n+size = 2" in diff
    assert "untracked: new.py" in diff


def test_outside_of_git_there_is_just_no_commit(tmp_path: Path) -> None:
    noted = read_json(new_run(tmp_path / "runs", tmp_path).provenance)
    assert "own" not in noted["git"]
    assert noted["packages"]["torch"]


def test_the_copy_of_the_users_code_does_not_change_any_more(tmp_path: Path) -> None:
    source = write(tmp_path / "base" / "net.py", NET + "    size = 1\n")
    run = own_model(tmp_path)
    source.write_text(NET + "    size = 2\n")
    assert load_object(load(run.spec).model.name, run.code).size == 1


@pytest.mark.parametrize("place", ["deep/net.py", "../elsewhere/net.py", "absolute"])
def test_code_from_anywhere_is_named_by_its_copy(tmp_path: Path, place: str) -> None:
    path = tmp_path / "base" / place if place != "absolute" else tmp_path / "a" / "net.py"
    write(path, NET)
    run = own_model(tmp_path, f"{path if place == 'absolute' else place}:Net")
    assert load(run.spec).model.name == "net.py:Net"
    assert (run.code / "net.py").is_file()


def test_an_installed_package_is_not_copied(tmp_path: Path) -> None:
    options = {"hidden": [4], "activation": "relu", "dropout": 0.0}
    run = own_model(tmp_path, "hpc_dl.zoo.architectures.ffnn:FeedForward", **options)
    assert load(run.spec).model.name == "hpc_dl.zoo.architectures.ffnn:FeedForward"
    assert not run.code.exists()
    with pytest.raises(UserError, match=r"there is no module 'some\.package'"):
        own_model(tmp_path, "some.package:Net")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no file .*/base/net\.py"):
        own_model(tmp_path)


def test_a_run_that_is_prepared_again_has_the_code_of_now(tmp_path: Path) -> None:
    source = write(tmp_path / "base" / "net.py", "import sizes\n" + NET)
    write(tmp_path / "base" / "sizes.py", "size = 1\n")
    run = own_model(tmp_path)
    write(tmp_path / "base" / "sizes.py", "size = 2\n")
    plan = Plan.from_json(read_json(run.plan))
    prepare.prepare(run, load(run.spec), plan, source.parent)
    assert (run.code / "sizes.py").read_text() == "size = 2\n"


def test_reopening_forgets_the_last_submission_and_cancellation(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    journal.Journal(run.journal).append("state", state="cancelled", reason="by the user")
    run.cancel.touch()
    run.submission.write_text("{}")
    reopen(run)
    assert journal.last_state(run.journal) == ("planned", "submitted again")
    assert not run.cancel.exists()
    assert not run.submission.exists()


def test_what_was_noted_of_a_run_stays_when_it_is_prepared_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(tmp_path / "runs")
    first, diff = read_json(run.provenance), run.diff.read_bytes()
    monkeypatch.chdir(tmp_path / "runs")
    for _ in range(2):
        prepare.prepare(run, load(run.spec), Plan.from_json(read_json(run.plan)), tmp_path)
    noted = read_json(run.provenance)
    resumed = noted.pop("resumed")
    assert noted == first
    assert run.diff.read_bytes() == diff
    assert [it["folder"] for it in resumed] == [str(Path.cwd())] * 2
    assert {it["hpcdl"]["digest"] for it in resumed} == {first["hpcdl"]["digest"]}


def test_a_relative_store_stays_the_same_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = new_run(tmp_path / "runs", tracking={"uri": "sqlite:///store.db"})
    assert load(run.spec).tracking.uri == f"sqlite:///{tmp_path}/store.db"
    assert read_json(run.plan)["tracking_uri"] == f"sqlite:///{tmp_path}/store.db"


def test_the_diff_holds_modules_of_hpcdl_that_git_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "checkout"
    first = write(checkout / "hpc_dl" / "__init__.py", '__version__ = "7.0"\n')
    git_init(checkout, "mine")
    new = write(checkout / "hpc_dl" / "new.py", "x = 1\ny = 2\n")
    write(checkout / "notes.py", "not = hpcdl's\n")
    monkeypatch.setattr(hpc_dl, "__file__", str(first))
    run = new_run(tmp_path / "runs")
    assert read_json(run.provenance)["git"]["hpcdl"]["branch"] == "mine"
    assert "untracked: notes.py" in run.diff.read_text()
    git(checkout, "clean", "-qfdx")
    git(checkout, "apply", str(run.diff))
    assert new.read_text() == "x = 1\ny = 2\n"
    assert not (checkout / "notes.py").exists()
