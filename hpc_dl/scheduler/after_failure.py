"""Called by a job's script when its tasks have failed: requeues the job where that may help.

`python -m hpc_dl.scheduler.after_failure RUN_DIR CODE`; CODE is the exit code of the tasks.

A rank that is killed from outside records nothing. The script outlives it on the first node, and
has the job requeued, unless the failure is the user's to mend, or wanted.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path

from hpc_dl.errors import UserError
from hpc_dl.run import aborts, failure, journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.run.stop_signals import STOPPING
from hpc_dl.scheduler import recovery, registry, requeue
from hpc_dl.scheduler.base import Scheduler
from hpc_dl.tracking import webhook

_FROM_OUTSIDE = (signal.SIGKILL, *STOPPING)
"""Those that end a rank; one is Slurm's warning of the time limit, which may come before the
rank has a handler for it."""


def requeue_or_fail(run: RunDir, rank_info: RankInfo, scheduler: Scheduler, code: int) -> None:
    """Have the job requeued if something other than its code has ended it."""
    recorded = recovery.find(run).submission
    if not run.plan.is_file() or (recorded and recorded.job_id not in ("", rank_info.job_id)):
        return  # another job has the run by now
    state, _ = journal.last_state(run.journal)
    if state in journal.ENDED - {"stopped"} or run.cancel.exists():
        return
    if scheduler.ran_out_of_memory(run, rank_info.job_id):
        return  # another attempt would take as much
    failed = failure.find(run, rank_info.job_id)
    is_own = failed is not None and not failed.peer_gone
    if code - 128 == signal.SIGABRT and state != "stopped" and not is_own:
        _after_abort(run, rank_info, scheduler)
    elif reason := _outside_cause(state, code, failed):
        requeue.after_failure(run, rank_info, scheduler, reason)


def _after_abort(run: RunDir, rank_info: RankInfo, scheduler: Scheduler) -> None:
    """Requeue where ranks have aborted because others were lost; not after their own error."""
    abort = aborts.find(run, rank_info)
    if abort.peer_gone:
        requeue.after_failure(run, rank_info, scheduler, abort.reason)
    else:
        requeue.fail(run, rank_info, abort.reason)


def _outside_cause(state: str, code: int, failed: failure.Failure | None) -> str:
    """Return what has ended the tasks from outside, or nothing."""
    if failed:
        return failed.reason if failed.peer_gone else ""
    if state == "stopped":
        return "terminated by a signal"
    number = code - 128
    return f"a rank was killed (signal {number})" if number in _FROM_OUTSIDE else ""


def main(run: RunDir, code: int) -> int:
    """Return the exit code of the job, that of the first rank that failed.

    srun kills the others, and returns the highest code: 137 in place of 2, which some sites
    requeue. An error is printed rather than raised: then the job ends as its tasks did.
    """
    try:
        rank_info = registry.find_rank_info(run, os.environ)
        requeue_or_fail(run, rank_info, registry.get(rank_info.backend), code)
        failed = failure.find(run, rank_info.job_id)
        if failed is not None and not failed.peer_gone:
            return failed.exit_code
    except UserError as error:
        sys.stderr.write(f"error: {error.message}\n")
    except Exception:
        traceback.print_exc()
    finally:
        webhook.notify_end(run)
    return code


if __name__ == "__main__":
    sys.exit(main(RunDir(Path(sys.argv[1])), int(sys.argv[2])))
