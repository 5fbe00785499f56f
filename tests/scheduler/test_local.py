"""A local job is on its own: neither Ctrl-C nor the end of the terminal reaches it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hpc_dl.errors import UserError
from hpc_dl.planning.plan import Plan
from hpc_dl.run.layout import RunDir, read_json, write_json
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler.submit import submit
from tests.support.running import new_run, start, train, wait_for_end
from tests.support.waiting import wait_until

FOREGROUND = """
import sys, time
from pathlib import Path
from hpc_dl.planning.plan import Plan
from hpc_dl.run.layout import RunDir, read_json
from hpc_dl.scheduler.submit import submit

run = RunDir(Path(sys.argv[1]))
submit(run, Plan.from_json(read_json(run.plan)))
print("submitted", flush=True)
time.sleep(600)
"""


def submit_from_a_terminal_of_its_own(run: RunDir) -> subprocess.Popen[str]:
    shell = subprocess.Popen(
        [sys.executable, "-c", FOREGROUND, str(run.path)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert shell.stdout is not None
    assert shell.stdout.readline() == "submitted\n"
    return shell


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
@pytest.mark.nightly
def test_what_ends_the_foreground_does_not_end_the_job(
    tmp_path: Path, number: signal.Signals
) -> None:
    run = new_run(tmp_path)
    shell = submit_from_a_terminal_of_its_own(run)
    os.killpg(shell.pid, number)
    assert shell.wait(10) != 0
    assert wait_for_end(run)[0] == "completed"


@pytest.mark.nightly
def test_the_job_holds_no_pipe_of_the_foreground(tmp_path: Path) -> None:
    """`hpcdl submit | tee log` ends when hpcdl does."""
    run = new_run(tmp_path)
    shell = submit_from_a_terminal_of_its_own(run)
    shell.kill()
    assert shell.communicate(timeout=10)[0] == ""
    assert wait_for_end(run)[0] == "completed"


def test_a_job_started_in_the_background_of_a_script_can_be_stopped(tmp_path: Path) -> None:
    """Such a process ignores SIGINT, which submitit's controller has to obey all the same."""
    run = new_run(tmp_path)
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        start(run)
    finally:
        signal.signal(signal.SIGINT, former)
    submission = Submission.load(run)
    assert not ignored_signals(submission) >> (signal.SIGINT - 1) & 1
    assert submission is not None
    assert submission.group is not None
    os.killpg(submission.group, signal.SIGKILL)


def ignored_signals(submission: Submission | None) -> int:
    assert submission is not None
    status = Path(f"/proc/{submission.job_id}/status").read_text()
    return int(status.split("SigIgn:")[1].split()[0], 16)


@pytest.mark.nightly
def test_every_rank_has_a_log_and_its_share_of_the_cores_and_none_is_left(tmp_path: Path) -> None:
    run = train(new_run(tmp_path, resources={"tasks_per_node": 2, "cpus_per_task": 2}))
    submission = Submission.load(run)
    assert submission is not None
    for rank in (0, 1):
        assert "submitit" in (run.logs / f"{submission.job_id}-{rank}.log").read_text()
    started = next(line for line in run.journal.read_text().splitlines() if "started" in line)
    assert '"threads": 2' in started
    group = submission.group
    assert group is not None
    wait_until(lambda: not is_alive(group), timeout=90, message="all processes to end")


def is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_job_that_does_not_start_says_why(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    plan = Plan.from_json(read_json(run.plan))
    run.plan.write_text("{")
    with pytest.raises(UserError, match=r"not start: \S+plan.json is damaged") as caught:
        submit(run, plan)
    assert str(run.logs / "launcher.log") in caught.value.hint


def test_the_ranks_see_the_gpus_that_the_user_lets_programs_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """submitit would number them from 0, and take somebody else's."""
    run = new_run(tmp_path)
    write_json(run.plan, read_json(run.plan) | {"gpus_per_node": 1})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1234")
    (tmp_path / "torch.py").write_text(
        "import os; raise OSError(os.environ['CUDA_VISIBLE_DEVICES'])"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    start(run)
    assert "GPU-1234" in wait_for_end(run)[1]
