"""GPUs that idle are named, with what their ranks are likely to wait for."""

import pytest

from hpc_dl.train.idle_gpus import IdleGuard, RankState, describe


def state(rank, phase="training", at=7.5, idle=None):
    return RankState(rank, f"n{rank // 2 + 1}", phase, at, idle)


@pytest.mark.parametrize(
    "ranks, said",
    [
        ([state(0), state(1)], ""),
        ([state(0, idle=599.0)], ""),
        (
            [state(0, "data", idle=720.0)],
            "the GPU of rank 0 on n1 has idled for 12 min: waiting for data",
        ),
        (
            [state(0, "evaluation", idle=720.0)],
            "the GPU of rank 0 on n1 has idled for 12 min: evaluating, or drawing pictures",
        ),
        (
            [state(0, idle=720.0)],
            "the GPU of rank 0 on n1 has idled for 12 min: in a training step that keeps no GPU "
            "busy",
        ),
        (  # those that wait for another rank say for whom, and why that is late
            [state(0, idle=720.0), state(1, idle=800.0), state(2, "data", 7.0, idle=725.0)],
            "the GPUs of ranks 0, 1 have idled for 12 min: rank 2 on n2 is waiting for data; "
            "the GPU of rank 2 on n2 has idled for 12 min: waiting for data",
        ),
        (
            [state(rank, "start", 0.0, 3600.0) for rank in range(8)],
            "the GPUs of ranks 0, 1, 2, 3 and 4 more have idled for 1 h: loading data, or building "
            "the network",
        ),
    ],
)
def test_the_reason_is_what_the_late_rank_does(ranks, said):
    assert describe(ranks, 600.0) == said


def test_a_change_is_told_once():
    guard = IdleGuard(600.0)
    told = [guard.update([state(0, "data", idle=idle)]) for idle in (None, 600.0, 660.0, None)]
    assert told == [False, True, False, True]
    assert guard.message == ""
