"""A rank that fails says of what and is gone, though the others wait for it where they are deaf.

NCCL behaves so: who waits in it for another rank hears nothing of its end, and to destroy the
process group is to wait for the others.
"""

import os
import time

import pytest
import torch.distributed as dist

from hpc_dl.run import failure, journal
from tests.support import ranks
from tests.support.own_models import own_models
from tests.support.running import new_run

MODELS = '''

class Leaving(Own):
    """In step 3 one rank leaves, and the others wait for it without hearing anything."""

    steps = 0

    def loss(self, nets, batch, player):
        self.steps += 1
        if self.steps == 3 and RANK != self.options.rank:
            while True:
                time.sleep(0.01)
        if self.steps == 3 and self.options.killed:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.steps == 3:
            raise RuntimeError("the loss exploded")
        return super().loss(nets, batch, player)
'''
HERE = os.uname().nodename


def hang_when_destroyed():
    dist.destroy_process_group = lambda *_: time.sleep(1000)


def leaving(root, rank, *, killed, size=2):
    base = own_models(root / "code")
    with (base / "own.py").open("a") as file:
        file.write(MODELS)
    return new_run(
        root,
        base,
        model={"name": "own.py:Leaving", "rank": rank, "killed": killed},
        resources={"tasks_per_node": size, "cpus_per_task": 1},
    )


def ended(run, sabotage=None, size=2):
    """Start the ranks and wait for their end; the last state of the run, and the logs."""
    with ranks.ended(ranks.start_job(run, sabotage, size)) as processes:
        for process in processes:
            process.join(30)
        assert None not in [process.exitcode for process in processes], "a rank is left"
    logs = [log.read_text() for log in sorted(run.logs.glob("*.log"))]
    return journal.last_state(run.journal), logs


@pytest.mark.parametrize("rank", [0, 1])
def test_the_error_of_a_rank_is_recorded_before_it_waits_for_others(tmp_path, rank):
    run = leaving(tmp_path, rank, killed=False)
    (state, reason), logs = ended(run, hang_when_destroyed)
    assert state == "failed"
    assert reason.startswith("RuntimeError: the loss exploded (own.py:")
    assert (f"on rank {rank}" in reason) == (rank > 0)
    assert "RuntimeError: the loss exploded" in logs[rank]


def test_a_killed_rank_is_named(tmp_path):
    (state, reason), logs = ended(leaving(tmp_path, 1, killed=True, size=3), size=3)
    assert (state, reason) == ("failed", f"rank 1 on {HERE} {failure.GONE}")
    assert f"error: rank 1 on {HERE} has ended without an error message" in logs[0]


def test_when_rank_0_is_killed_the_others_end_and_record_it(tmp_path):
    run = leaving(tmp_path, 0, killed=True)
    ended(run)
    job_id = next(run.path.glob("failure-*.json")).name.split("-")[1].split(".")[0]
    found = failure.find(run, job_id)
    assert found == failure.Failure(f"rank 0 on {HERE} {failure.GONE}", peer_gone=True)
