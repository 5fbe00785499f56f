"""A third scheduler is one class that a package registers by an entry point, and nothing else."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpc_dl.cli import main
from hpc_dl.errors import UserError
from hpc_dl.planning.site import Site
from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir, read_json
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler import registry
from hpc_dl.status import cancel_run, read_status, reconcile
from tests.support import empty_store
from tests.support.typed import job_file, use_settings
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow
TOY = Path(__file__).parent / "toy"
JOB = """\
name: toy
model: {name: own.py:Interrupted}
data: {name: digits}
train: {epochs: 2, log_every: 5}
resources: {cpus_per_task: 1, time: "00:10:00"}
"""
OWN = '''
import os
import signal

from torch import nn

from hpc_dl.zoo.supervised import Supervised


class Interrupted(Supervised):
    """Gets the signal before the time limit in step 9 of the first attempt."""

    steps = 0

    def network(self):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    def loss(self, *args):
        Interrupted.steps += 1
        if Interrupted.steps == 9 and os.environ.get("TOY_RESTARTS") == "0":
            os.kill(os.getpid(), signal.SIGUSR2)
        return super().loss(*args)
'''


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A site whose jobs the toy runs, where its package is installed."""
    monkeypatch.syspath_prepend(TOY)
    path = [str(TOY), str(Path(__file__).parents[2])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.setenv("TOY_QUEUE", str(tmp_path / "queue"))
    use_settings(monkeypatch, tmp_path)
    (tmp_path / "queue").mkdir()
    (tmp_path / "own.py").write_text(OWN)
    empty_store.put(tmp_path / "runs")
    file = tmp_path / "site.yaml"
    file.write_text("name: lab\nscheduler: toy\n")
    yield str(file)
    registry.get.cache_clear()


def test_a_job_is_submitted_trained_requeued_and_completed(site: str, tmp_path: Path) -> None:
    assert main(["submit", job_file(tmp_path, JOB), "--site", site]) == 0
    run = RunDir(tmp_path / "runs/toy-1")
    assert read_json(run.plan)["backend"] == "toy"
    wait_until(lambda: read_status(run).state in journal.ENDED, 240, message="no end")
    status = read_status(run)
    assert (status.state, status.backend, status.job_id) == ("completed", "toy", "1")
    events = [entry.event for entry in journal.read(run.journal, kinds=("state", "started"))]
    assert [it["attempt"] for it in events if it["event"] == "started"] == ["1.0", "1.1"]
    requeues = [it for it in events if it.get("state") == "requeued"]
    assert [(it["reason"], it["attempt"]) for it in requeues] == [("wall-clock limit", "1.0")]
    assert events[-1]["state"] == "completed"


@pytest.mark.nightly
def test_a_job_whose_answer_is_lost_is_found_again_and_cancelled(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOY_HOLDS_JOBS", "1")
    monkeypatch.setenv("TOY_LOSES_ANSWERS", "1")
    assert main(["submit", job_file(tmp_path, JOB), "--site", site]) == 3
    assert "not known yet whether the job of toy-1 was submitted" in capsys.readouterr().err
    run = RunDir(tmp_path / "runs/toy-1")
    recorded = Submission.load(run)
    assert recorded is not None
    assert (recorded.backend, recorded.job_id) == ("toy", "")
    status = read_status(run)
    assert (status.state, status.job_id, status.where) == ("queued", "1", "toy-node")
    assert main(["submit", job_file(tmp_path, JOB), "--site", site]) != 0  # it is not sent twice
    reconcile([run])
    assert Submission.load(run) == recorded.became("1")
    assert cancel_run(run).state == "cancelled"
    assert len(list((tmp_path / "queue").iterdir())) == 1


def test_a_refused_job_leaves_no_submission(
    site: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unlucky = JOB.replace("00:10:00", "00:13:00")
    assert main(["submit", job_file(tmp_path, unlucky), "--site", site]) != 0
    assert "13 minutes bring bad luck" in capsys.readouterr().err
    run = RunDir(tmp_path / "runs/toy-1")
    assert Submission.load(run) is None
    assert read_status(run).reason == "not submitted: 13 minutes bring bad luck"


def test_the_plan_shows_the_schedulers_options_and_its_script(
    site: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["submit", job_file(tmp_path, JOB), "--site", site, "--dry-run=plan", "--json"]
    assert main(words) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["plan"]["sbatch"] == {"name": "toy", "walltime": "00:10:00"}
    assert "hpc_dl.worker" in shown["script"]


def test_without_its_package_a_scheduler_is_unknown_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no scheduler 'toy'") as refused:
        registry.choose(Site(name="lab", scheduler="toy"), local=False)
    assert "There are: local, slurm" in refused.value.hint
    run = RunDir(tmp_path)
    (status,) = registry.query([registry.Job(run, Submission("toy", "1", "here", 0.0))])
    assert (status.phase, status.reason) == ("unknown", "there is no scheduler 'toy'")
