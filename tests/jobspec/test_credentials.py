"""A user and a password in a tracking URI stand in one file of their owner's, and nowhere else."""

import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hpc_dl import cli
from hpc_dl.jobspec import credentials
from hpc_dl.jobspec.load import load
from hpc_dl.planning.plan import Plan
from hpc_dl.run import layout
from hpc_dl.run.layout import RunDir, read_json
from hpc_dl.submission import prepare
from hpc_dl.tracking import store_uri

SECRET = "ge%40heim"
JOB = """\
name: secretive
model: {name: ffnn, hidden: [8]}
data: {name: digits}
train: {epochs: 1}
resources: {cpus_per_task: 1}
tracking: {uri: "http://before:SECRET@127.0.0.1:9"}
"""
URI = f"tracking.uri=http://me:{SECRET}@127.0.0.1:9"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:secret@mlflow.example.org/x", "https://***@mlflow.example.org/x"),
        ("postgresql+psycopg2://me:s@cret@db/mlflow", "postgresql+psycopg2://***@db/mlflow"),
        ("to http://me:secret@a/api, 'http://you:secret@b'", "to http://***@a/api, 'http://***@b'"),
        ("sqlite:////home/a@b/mlflow.db", "sqlite:////home/a@b/mlflow.db"),
        ("https://example.org/me@home", "https://example.org/me@home"),
    ],
)
def test_a_text_is_shown_without_passwords(text: str, shown: str) -> None:
    assert credentials.hidden(text) == shown
    assert credentials.hidden(shown) == shown
    assert len(credentials.covered(text)) == len(text)
    assert "cret" not in credentials.covered(text)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job spec with a password, which git knows of, and that was changed since."""
    path = tmp_path / "work" / "job.yaml"
    path.parent.mkdir()
    path.write_text("name: before\n")
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run(["git", *identity, *words], cwd=path.parent, check=True)
    path.write_text(JOB.replace("SECRET", SECRET))
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path / "runs"))
    monkeypatch.setenv("HPCDL_SITE", "generic")
    return path


def typed(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["hpcdl", *words])
    return cli.main()


@pytest.mark.nightly
def test_a_run_that_was_trained_holds_the_password_in_one_file(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, "submit", str(job), URI, "--local", "--json") == 0
    assert typed(monkeypatch, "sync", "--all") == 1  # nobody is there
    (run,) = layout.list_runs(tmp_path / "runs")
    files = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    telling = [path for path in files if re.search(rb"ge(%40|@)heim", path.read_bytes())]
    assert telling == [run.tracking_uri]
    assert stat.S_IMODE(run.tracking_uri.stat().st_mode) == 0o600
    assert run.diff.read_text().count("http://***@127.0.0.1:9") == 1
    assert "tracking.uri=http://***@127.0.0.1:9" in read_json(run.provenance)["command"]
    assert "it does not answer" in (run.logs / "tracking.log").read_text()
    said = capfd.readouterr()
    assert "http://***@127.0.0.1:9 did not take it" in said.out
    assert "heim" not in said.out + said.err
    the_password_outlives_a_resume(run)


def the_password_outlives_a_resume(run: RunDir) -> None:
    """Which begins with the spec in the run folder, and may name another store."""
    spec, plan = load(run.spec), Plan.from_json(read_json(run.plan))
    assert spec.tracking.uri == plan.tracking_uri == "http://***@127.0.0.1:9"
    prepare.replan(run, spec, plan)
    assert store_uri.load(run) == URI.removeprefix("tracking.uri=")
    store_uri.save(run, "http://127.0.0.1:9")
    assert not run.tracking_uri.exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--dry-run=plan"],
        ["--dry-run=plan", "--json"],
        ["--dry-run=script"],
        ["--dry-run=script", URI],
        ["--dry-run=plan", "tracking.ury=http://me:SECRET@a"],
        ["tracking.experiment=[", URI],
    ],
    ids=" ".join,
)
def test_no_plan_script_or_error_shows_it(
    job: Path,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    typed(monkeypatch, "submit", str(job), *(word.replace("SECRET", SECRET) for word in words))
    said = capsys.readouterr()
    assert said.out + said.err
    assert SECRET not in said.out + said.err


def test_an_error_beside_it_in_the_spec_still_points_at_its_place(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job.write_text(job.read_text().replace('"}', '", experimnt: x}'))
    assert typed(monkeypatch, "submit", str(job), "--dry-run=plan") == 2
    _, line, marked = capsys.readouterr().err.splitlines()[:3]
    assert line[marked.index("^") :].startswith("experimnt")
    assert SECRET not in line


def test_a_script_that_would_hold_it_is_refused_with_the_way_out(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, "submit", str(job), URI, "--dry-run=script") == 2
    assert "MLFLOW_TRACKING_URI" in capsys.readouterr().err
