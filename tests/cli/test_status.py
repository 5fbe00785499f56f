"""`hpcdl status`, `logs` and `cancel`, as they are typed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hpc_dl.cli import main
from hpc_dl.errors import UserError
from hpc_dl.run import failure, journal
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.run.submission import Submission
from hpc_dl.status import read_status
from tests.support.own_models import own_models
from tests.support.running import new_run, start


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all runs that hpcdl finds."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(folder))
    monkeypatch.setenv("HPCDL_SITE", "generic")
    return folder


def ended(root: Path, state: str, reason: str, name: str = "quick") -> RunDir:
    """A run that has ended, as far as its journal goes."""
    run = new_run(root, name=name)
    own = Journal(run.journal)
    values = {"val/accuracy": 0.98765, "val/loss": 0.05}
    own.append("progress", epoch=3, epochs=10, step=410, steps=1000, seconds_left=5.0)
    own.append("metrics", step=400, epoch=2, values=values)
    own.append("summary", parameters=2410, seconds=3.0, values={"test/loss": 0.25})
    own.append("state", state=state, reason=reason)
    return run


def test_the_table_shows_state_progress_metric_and_reason(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(root, "completed", "all steps")
    ended(root, "failed", "RuntimeError: boom (net.py:3)\nand more", name="other")
    assert main(["status"]) == 0
    header, first, second = (line.split("  ") for line in lines(capsys))
    assert header[0] == "run"
    for words in ("quick-1", "completed", "epoch 3/10 · 41 %", "val/accuracy 0.9877", "all steps"):
        assert words in "  ".join(first)
    assert "RuntimeError: boom (net.py:3)" in "  ".join(second)
    assert "and more" not in "  ".join(second)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.strip().splitlines()


def test_only_the_newest_runs_are_shown_unless_all_are_asked_for(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(22):
        run = ended(root, "completed", "")
        os.utime(run.spec, (number, number))
    main(["status"])
    shown = lines(capsys)
    assert shown[0].startswith("2 older runs")
    assert "quick-22" in shown[-1]
    assert not any("quick-2 " in line for line in shown)
    main(["status", "--all"])
    assert len(lines(capsys)) == 23


@pytest.mark.parametrize(
    ("state", "code"), [("completed", 0), ("failed", 1), ("timeout", 1), ("cancelled", 0)]
)
def test_the_exit_code_for_one_run_is_1_if_it_failed(
    root: Path, capsys: pytest.CaptureFixture[str], state: str, code: int
) -> None:
    run = ended(root, state, "because")
    assert main(["status", "latest"]) == code
    out = capsys.readouterr().out
    assert str(run.path) in out
    assert "because" in out


def test_statuses_are_printed_as_json(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended(root, "completed", "all steps")
    main(["status", "--json"])
    (one,) = json.loads(capsys.readouterr().out)
    main(["status", "quick", "--json"])
    same = json.loads(capsys.readouterr().out)
    code = same.pop("code")
    assert one | {"age": 0} == same | {"age": 0}
    assert (code["hpcdl"], code["differs"]) == (code["current"], False)
    assert (one["trainable_parameters"], one["test"]) == (2410, {"loss": 0.25})
    assert one["hyperparameters"]["train.optimizer.lr"] == 1e-3
    assert not any(name.startswith("tracking") for name in one["hyperparameters"])
    assert (one["id"], one["state"], one["metric"]) == ("quick-1", "completed", "val/accuracy")


def test_a_pattern_chooses_runs_to_list_and_to_cancel(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, state in (("sw-a", "failed"), ("sw-b", "completed"), ("other", "completed")):
        ended(root, state, "", name)
    new_run(root, name="sw-c")
    assert main(["status", "sw-*", "--json"]) == 0
    assert [it["id"] for it in json.loads(capsys.readouterr().out)] == [
        "sw-a-1",
        "sw-b-1",
        "sw-c-1",
    ]
    assert main(["cancel", "sw-*"]) == 0
    states = [line.split()[:2] for line in lines(capsys)]
    assert states == [["sw-a-1:", "failed"], ["sw-b-1:", "completed"], ["sw-c-1:", "cancelled"]]


def test_without_runs_the_command_to_start_one_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["status"]) == 0
    assert "hpcdl submit" in capsys.readouterr().out
    assert main(["status", "nope"]) == 2


def test_logs_prints_what_a_rank_printed(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = ended(root, "completed", "")
    Submission("slurm", "17", "here", 0.0).save(run)
    (run.logs / "17-0.log").write_bytes(b"rank 0 says \xff\n")
    (run.logs / "17-1.log").write_text("rank 1 says\n")
    assert main(["logs", "quick"]) == 0
    assert "rank 0 says" in capfd.readouterr().out
    assert main(["logs", "quick", "--rank", "1"]) == 0
    assert capfd.readouterr().out == "rank 1 says\n"
    assert main(["logs", "quick", "--rank", "2"]) == 2
    assert "There are: 0, 1." in capfd.readouterr().err
    main(["logs", "quick", "--json"])
    files = json.loads(capfd.readouterr().out)["files"]
    assert [Path(file).name for file in files] == ["17-0.log", "17-1.log"]


def test_logs_prints_the_log_of_the_batch_script_without_one_of_a_rank(
    root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = ended(root, "failed", "it did not start")
    Submission("slurm", "17", "here", 0.0).save(run)
    assert main(["logs", "quick"]) == 2
    assert "it did not start" in capfd.readouterr().err
    (run.logs / "17-batch.log").write_text("module: command not found\n")
    assert main(["logs", "quick"]) == 0
    assert capfd.readouterr().out == "module: command not found\n"


def test_a_failure_of_the_data_has_the_exit_code_that_submitting_it_has(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ended(root, "failed", "the data are at fault")
    Submission("slurm", "17", "here", 0.0).save(run)
    (run.logs / "17-0.log").write_text("the data are at fault\n")
    for error, code in ((UserError("row 7 is wrong"), 2), (RuntimeError("it exploded"), 1)):
        for file in run.path.glob("failure-*"):
            file.unlink()
        failure.record(run, RankInfo(0, 1, 0, 1, "17.0", "17", 0), error)
        assert main(["status", "quick"]) == code
        assert main(["logs", "quick", "-f"]) == code
    assert "Slurm job 17" in capsys.readouterr().out


@pytest.mark.nightly
def test_logs_f_follows_a_run_to_its_end(root: Path, tmp_path: Path) -> None:
    base = own_models(tmp_path / "base")
    run = new_run(root, base, model={"name": "own.py:Failing"})
    start(run)
    command = [sys.executable, "-m", "hpc_dl", "logs", "latest", "-f"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stdout.count("RuntimeError: the loss exploded") == 1
    assert 'raise RuntimeError("the loss exploded")' in done.stdout


def test_the_log_of_a_healthy_run_shows_its_epochs(
    root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    start(new_run(root, train={"epochs": 2}))
    assert main(["logs", "latest", "-f"]) == 0
    said = [line for line in capfd.readouterr().out.splitlines() if "submitit" not in line]
    began, counted, first, second, tested, test, end, *report = said
    assert began.startswith("running: 1 rank on ")
    assert counted.startswith("model FLOPs of an example: ")
    assert first.startswith("epoch 1/2  step ")
    assert second.startswith("epoch 2/2  step ")
    assert "train/loss" in first
    assert "val/accuracy" in first
    assert tested == "running: trained, and being tested"
    assert "test/accuracy" in test
    assert end.startswith("completed: ")
    assert report[0].startswith("quick-1: completed")


@pytest.mark.nightly
def test_attach_shows_a_run_and_leaves_it_running(root: Path) -> None:
    run = new_run(root, train={"epochs": 100_000})
    start(run)
    command = [sys.executable, "-u", "-m", "hpc_dl", "attach", "latest"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert any(line.startswith("epoch 1/100000  ") for line in watching.stdout)
        watching.send_signal(signal.SIGINT)
        said = watching.stdout.read()
    assert watching.returncode == 130
    assert "quick-1 continues to run." in said
    assert read_status(run).state == "running"
    assert main(["cancel", "latest"]) == 0


def test_attach_to_a_run_that_has_ended_shows_its_results(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(root, "completed", "all steps")
    assert main(["attach", "latest"]) == 0
    assert "quick-1: completed  all steps" in lines(capsys)


def test_cancel_prints_the_new_state(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = new_run(root, train={"epochs": 100_000})
    start(run)
    assert main(["cancel", "latest"]) == 0
    assert capsys.readouterr().out.startswith("quick-1: cancelled  cancelled by the user")
    assert journal.last_state(run.journal)[0] == "cancelled"


def test_cancelling_a_completed_run_is_no_error(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(root, "completed", "")
    assert main(["cancel", "latest", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "completed"


def test_status_imports_nothing_heavy(root: Path) -> None:
    ended(root, "failed", "boom")
    look = (
        "import sys; from hpc_dl.cli import main; main(['status']); main(['status', 'latest']);"
        "heavy = {'torch', 'torchvision', 'accelerate', 'mlflow', 'submitit', 'numpy'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", look], check=True, capture_output=True)
