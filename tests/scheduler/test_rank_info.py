"""The rank of a process, from the environment that Slurm gives it."""

from typing import Any

import pytest

from hpc_dl.errors import UserError
from hpc_dl.scheduler.slurm.rank_info import rank_info

TASK = {
    "SLURM_JOB_ID": "8",
    "SLURM_STEP_ID": "0",
    "SLURM_PROCID": "4",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "2",
    "SLURM_NTASKS": "5",
    "SLURM_NNODES": "3",
    "SLURM_TASKS_PER_NODE": "2(x2),1",
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"rank": 4, "world_size": 5, "local_world_size": 1, "attempt": "8.0"}),
        ({"SLURM_NODEID": "1"}, {"local_world_size": 2}),
        ({"SLURM_NTASKS": None, "SLURM_NPROCS": "5"}, {"world_size": 5}),
        ({"SLURM_NTASKS": "9", "SLURM_STEP_NUM_TASKS": "5"}, {"world_size": 5}),
        ({"SLURM_RESTART_COUNT": "2"}, {"restarts": 2, "attempt": "8.2"}),
        ({"SLURM_RESTART_COUNT": ""}, {"restarts": 0, "attempt": "8.0"}),
        ({"SLURM_TASKS_PER_NODE": "some"}, {"local_world_size": 1}),
        ({"SLURM_NNODES": None, "SLURM_TASKS_PER_NODE": None}, {"local_world_size": 5}),
        ({"SLURM_JOB_ID": None, "SLURM_JOBID": "8"}, {"job_id": "8"}),
        ({"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3"}, {"job_id": "7_3"}),
        (
            {"SLURM_NTASKS": None, "SLURM_STEP_ID": None, "SLURM_PROCID": "0"},
            {"rank": 0, "world_size": 1},  # the batch script itself
        ),
    ],
)
def test_the_rank_is_read(changes: dict[str, str | None], expected: dict[str, Any]) -> None:
    found = rank_info({k: v for k, v in (TASK | changes).items() if v is not None})
    assert {name: getattr(found, name) for name in expected} == expected
    assert found is not None
    assert found.backend == "slurm"


@pytest.mark.parametrize(
    "changes",
    [
        {"SLURM_NTASKS": None},
        {"SLURM_PROCID": "first"},
        {"SLURM_PROCID": "5"},
        {"SLURM_LOCALID": ""},
    ],
)
def test_a_rank_is_not_guessed(changes: dict[str, str | None]) -> None:
    with pytest.raises(UserError, match="cannot tell which rank this is: SLURM_PROCID="):
        rank_info({k: v for k, v in (TASK | changes).items() if v is not None})
