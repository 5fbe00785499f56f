"""Which run a submission resumes, or whether it starts a new one."""

import shutil
from pathlib import Path

import pytest

from hpc_dl.cli import run_choice
from hpc_dl.cli.run_choice import RunChoice
from hpc_dl.errors import UserError
from hpc_dl.jobspec.load import load
from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir
from hpc_dl.status import cancel_run
from hpc_dl.submission import snapshot
from tests.support import reading
from tests.support.own_models import own_models
from tests.support.running import new_run, start
from tests.support.typed import QUICK, job_file

pytestmark = pytest.mark.usefixtures("forked_check")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def choice(root: Path, tmp_path: Path, *words: str, text: str = QUICK) -> RunChoice:
    """Return the choice for the quick job."""
    spec = load(job_file(tmp_path, text), words)
    facts = reading.describe(load(job_file(tmp_path)).data, tmp_path)
    code = snapshot.take(spec, tmp_path, tmp_path, facts)
    data = reading.take_fingerprint(spec.data, spec.model, tmp_path, facts)
    return run_choice.choose(root, spec, code, data)


def ended(root: Path, state: str) -> RunDir:
    """A run of the quick job that has ended."""
    run = new_run(root)
    log = journal.Journal(run.journal)
    log.append("state", state=state, reason="")
    log.close()
    return run


def test_the_first_run_of_a_name_is_new(root: Path, tmp_path: Path) -> None:
    assert choice(root, tmp_path) == RunChoice("start")


@pytest.mark.parametrize("state", ["failed", "cancelled", "timeout", "stopped", "paused"])
def test_a_stopped_run_is_resumed(root: Path, tmp_path: Path, state: str) -> None:
    run = ended(root, state)
    found = choice(root, tmp_path)
    assert (found.action, found.run) == ("resume", run)


def test_a_completed_run_is_not_trained_again(root: Path, tmp_path: Path) -> None:
    run = ended(root, "completed")
    found = choice(root, tmp_path)
    assert (found.action, found.run) == ("is_complete", run)


def test_a_run_that_was_never_submitted_is_resumed(root: Path, tmp_path: Path) -> None:
    run = new_run(root)
    found = choice(root, tmp_path)
    assert (found.action, found.run) == ("resume", run)


def test_a_running_run_is_active(root: Path, tmp_path: Path) -> None:
    own_models(tmp_path)
    run = new_run(root, tmp_path, model={"name": "own.py:Slow"})
    text = QUICK.replace("{name: ffnn, hidden: [32]}", "{name: 'own.py:Slow'}")
    start(run)
    try:
        found = choice(root, tmp_path, text=text)
        assert (found.action, found.run) == ("is_active", run)
    finally:
        cancel_run(run)
    assert choice(root, tmp_path, text=text).action == "resume"


def test_the_newest_run_of_the_same_training_is_resumed(root: Path, tmp_path: Path) -> None:
    ended(root, "completed")
    newer = ended(root, "failed")
    assert choice(root, tmp_path).run == newer


@pytest.mark.parametrize(
    "words",
    [
        ["resources.time=05:00:00", "resources.cpus_per_task=2", "resources.tasks_per_node=3"],
        ["tracking.experiment=other"],
        ["checkpoint.every=7 steps", "checkpoint.keep=1"],
        ["train.log_every=3"],
    ],
)
def test_resources_tracking_and_checkpoint_schedule_may_change(
    root: Path, tmp_path: Path, words: list[str]
) -> None:
    run = ended(root, "stopped")
    assert choice(root, tmp_path, *words).run == run


@pytest.mark.parametrize(
    "words",
    [["train.epochs=3"], ["train.seed=1"], ["model.hidden=[64]"], ["data.batch_size=64"]],
)
def test_another_training_is_another_run(root: Path, tmp_path: Path, words: list[str]) -> None:
    ended(root, "stopped")
    assert choice(root, tmp_path, *words) == RunChoice("start")


def test_the_users_code_is_part_of_the_training(root: Path, tmp_path: Path) -> None:
    own_models(tmp_path)
    (tmp_path / "own.py").write_text("import helper\n" + (tmp_path / "own.py").read_text())
    (tmp_path / "helper.py").write_text("RATE = 1\n")
    run = new_run(root, tmp_path, model={"name": "own.py:Slow"})
    text = QUICK.replace("{name: ffnn, hidden: [32]}", "{name: 'own.py:Slow'}")
    assert choice(root, tmp_path, text=text).run == run
    (tmp_path / "helper.py").write_text("RATE = 2\n")
    assert choice(root, tmp_path, text=text) == RunChoice("start")
    (tmp_path / "own.py").unlink()
    with pytest.raises(UserError, match=r"there is no file .*own\.py"):
        choice(root, tmp_path, text=text)


def test_a_run_folder_that_cannot_be_read_is_ignored(root: Path, tmp_path: Path) -> None:
    run, damaged = ended(root, "stopped"), ended(root, "stopped")
    damaged.spec.write_text("name: [")
    shutil.rmtree(ended(root, "stopped").path)
    assert choice(root, tmp_path).run == run
