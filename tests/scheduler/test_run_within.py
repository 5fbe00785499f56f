"""A part of a job that srun could not begin, and one whose job is ended meanwhile."""

from pathlib import Path

import pytest

from hpc_dl.run.rank_info import RankInfo
from hpc_dl.scheduler.slurm import array, client, script
from tests.support.slurm_runs import new_slurm_run

SCRIPT = """
echo begun >>{root}/begun
[ $(wc -l <{root}/begun) -gt 1 ] && exit 0
printf "srun: error: %s" "{message}" >&2
exit 1
"""


@pytest.mark.parametrize(
    ("message", "times", "code"),
    [
        ("Unable to confirm allocation for job 124: Socket timed out on send/recv operation", 2, 0),
        ("n5: task 0: Exited with exit code 1", 1, 1),
        ("Slurm job 7 has expired\nsrun: Check SLURM_JOB_ID. Expired or invalid job 7", 1, None),
    ],
)
def test_it_begins_again_where_the_controller_was_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str, times: int, code: int | None
) -> None:
    run, plan = new_slurm_run(tmp_path)
    text = SCRIPT.format(root=tmp_path, message=message)
    monkeypatch.setattr(script, "job_script", lambda _: text)
    monkeypatch.setattr(client, "call", lambda *_, **__: "")
    rank_info = RankInfo(0, 1, 0, 1, "7_1.0", "7_1", 0, "slurm")
    assert array.run_within(run, plan, rank_info) == code
    assert len((tmp_path / "begun").read_text().splitlines()) == times


def test_a_script_that_is_killed_tells_nothing_of_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the job is requeued, cancelled, or its node is down."""
    run, plan = new_slurm_run(tmp_path)
    monkeypatch.setattr(script, "job_script", lambda _: "kill -TERM $$\n")
    assert array.run_within(run, plan, RankInfo(0, 1, 0, 1, "7_1.0", "7_1", 0, "slurm")) is None
