"""What a batch script does when its tasks have failed.

`python -m hpc_dl.scheduler.slurm.requeue_on_failure RUN_DIR CODE`; CODE is that of srun.

A rank that is killed from outside has no last word. The script outlives it on the first node, and
has the job started again, unless the failure is the user's to mend, or wanted.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path

from hpc_dl.errors import UserError
from hpc_dl.run import aborts, failure, journal
from hpc_dl.run import submission as submissions
from hpc_dl.run.layout import RunDir
from hpc_dl.run.rank_info import RankInfo, find_rank_info
from hpc_dl.scheduler.slurm import requeue

_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM)
_NO_MEMORY = ("oom-kill", "oom_kill", "exceeded memory limit")


def revive(run: RunDir, rank_info: RankInfo, code: int) -> None:
    """Have the job started again if nobody but the machine is to blame."""
    recorded = submissions.find(run).submission
    if not run.plan.is_file() or (recorded and recorded.job_id not in ("", rank_info.job_id)):
        return  # another job has the run by now
    state, _ = journal.last_state(run.journal)
    if (
        state in journal.ENDED - {"stopped"}
        or run.cancel.exists()
        or _out_of_memory(run, rank_info)
    ):
        return
    failed = failure.find(run, rank_info.job_id)
    own = failed is not None and not failed.peer_gone
    if code - 128 == signal.SIGABRT and state != "stopped" and not own:
        _after_abort(run, rank_info)
    elif why := _blame(state, code, failed):
        requeue.go_on(run, rank_info, why, "failed")


def _after_abort(run: RunDir, rank_info: RankInfo) -> None:
    """Go on where ranks have aborted because others were lost; not after an error of their own."""
    why = aborts.why(run, rank_info)
    if why.peer_gone:
        requeue.go_on(run, rank_info, why.reason, "failed")
    else:
        requeue.give_up(run, rank_info, why.reason)


def _blame(state: str, code: int, failed: failure.Failure | None) -> str:
    """What ended the tasks from outside, or nothing."""
    if failed:
        return failed.reason if failed.peer_gone else ""
    if state == "stopped":
        return "terminated by a signal"
    number = code - 128
    return f"a rank was killed (signal {number})" if number in _FROM_OUTSIDE else ""


def _out_of_memory(run: RunDir, rank_info: RankInfo) -> bool:
    """Whether Slurm says so in the job's log: another attempt would take as much."""
    log = run.logs / f"{rank_info.job_id}-batch.log"
    text = log.read_text(errors="replace") if log.is_file() else ""
    return any(words in text for words in _NO_MEMORY)


if __name__ == "__main__":
    try:
        revive(RunDir(Path(sys.argv[1])), find_rank_info(os.environ), int(sys.argv[2]))
    except UserError as error:
        sys.stderr.write(f"error: {error.message}\n")
    except Exception:  # whatever comes of it, the job ends as its tasks did
        traceback.print_exc()
    sys.exit(int(sys.argv[2]))
