"""What follows an attempt is a pure function of the attempts so far, the limit and the cause."""

import pytest

from hpc_dl.run.attempts import Attempts
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.scheduler.base import RESUBMIT, StopCause
from hpc_dl.scheduler.requeue import decide

TIME_LIMIT = StopCause("wall-clock limit", "timeout")


def second_attempt(began=(0, 10), saved=20, decided="7.0", trained=("7.0", "7.1")) -> Attempts:
    return Attempts(("7.0", "7.1"), trained, began, saved, decided)


@pytest.mark.parametrize(
    ("so_far", "allowed", "state", "reason"),
    [
        (second_attempt(), 2, "requeued", "wall-clock limit"),
        (second_attempt(), 1, "timeout", f"wall-clock limit after 1 requeue; {RESUBMIT}"),
        (second_attempt(), 0, "timeout", f"wall-clock limit; {RESUBMIT}"),
        (second_attempt(saved=10), 2, "failed", "no progress between two requeues"),
        (second_attempt(began=(), trained=()), 2, "failed", "the training has not begun"),
        (second_attempt(began=(0,), trained=("7.0",)), 2, "requeued", "wall-clock limit"),
    ],
)
def test_a_job_is_requeued_within_its_limit_and_while_it_makes_progress(
    so_far: Attempts, allowed: int, state: str, reason: str
) -> None:
    decision = decide(so_far, allowed, RankInfo(0, 1, 0, 1, "7.1", "7", 1, "slurm"), TIME_LIMIT)
    assert decision is not None
    assert decision.state == state
    assert reason in decision.reason


def test_an_attempt_is_decided_once() -> None:
    rank_info = RankInfo(0, 1, 0, 1, "7.1", "7", 1, "slurm")
    assert decide(second_attempt(decided="7.1"), 9, rank_info, TIME_LIMIT) is None


def test_follow_up_jobs_count_as_requeues() -> None:
    attempts = Attempts(("7.0", "8.0"), ("7.0", "8.0"), (0, 10), 20, "7.0")
    rank_info = RankInfo(0, 1, 0, 1, "8.0", "8", 0, "slurm")
    decision = decide(attempts, 1, rank_info, TIME_LIMIT)
    assert decision is not None
    assert decision.state == "timeout"
