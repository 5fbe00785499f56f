"""A task of a sweep: `python -m hpc_dl.cli.sweeps.task SWEEP_DIR [MARK]`; MARK is that of its job.

It takes a unit, trains it as a run of its own within its job, writes the result, and looks for the
next. On a cluster one task begins one trial at most, so that its allocation is free again soon; the
next one is begun by the next task of the array.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from hpc_dl.cli.sweeps import start, trial_run
from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.jobspec.load import load
from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal, records
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir, set_umask
from hpc_dl.run.layout import mode_of as folder_mode
from hpc_dl.run.lease import Holder
from hpc_dl.run.process_identity import Process
from hpc_dl.run.rank_info import RankInfo, single_rank
from hpc_dl.run.stop_signals import STOPPING
from hpc_dl.run.waiting import wait_until
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.base import OUT_OF_MEMORY, Job, Scheduler
from hpc_dl.status import read_status, reconcile
from hpc_dl.sweep import (
    budget,
    folder,
    info,
    median,
    methods,
    mlflow_page,
    notification,
    outcome,
    study,
    taking,
)
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.method import Method
from hpc_dl.sweep.trial import Result, Unit

_POLL_SECONDS = 1.0


class Task:
    """One task, which trains a unit at a time, or several that share its job."""

    def __init__(self, sweep: SweepDir, mark: str) -> None:
        self.sweep, self.info = sweep, info.load(sweep)
        self.spec = load(sweep.spec)
        assert self.spec.sweep is not None
        self.shared_by = self.spec.sweep.trials_per_gpu
        self.scheduler = registry.get(self.info.backend)
        self.rank_info = _rank_info(self.scheduler)
        submission = replace(self.scheduler.submission_of(self.rank_info), mark=mark)
        host = os.uname().nodename
        self.holder = Holder(submission, self.rank_info.restarts, Process.own(), host, time.time())
        self._own = taking.own(sweep, self.holder) if self.rank_info.restarts else []
        self._taking, self._failed = threading.Lock(), False
        self._pages: list[subprocess.Popen[bytes]] = []

    def work(self) -> int:
        """Train until there is nothing left to take; return 1 if a unit has failed."""
        if self.shared_by == 1 or self.scheduler.on_this_machine:
            self._train_units()
        else:
            _in_threads([self._train_units] * self.shared_by)
        mlflow_page.wait(self._pages)
        return EXIT_FAILED if self._failed else 0

    def _train_units(self) -> None:
        """Train units one after another.

        What a requeued task has not begun is for others: its requeues count for what it trains.
        """
        may_begin = True
        while (unit := self._take(may_begin=may_begin)) is not None:
            self._pages += mlflow_page.start_update(self.sweep, begins=True)
            result = self._train(unit)
            if result is None:
                return
            folder.write_result(self.sweep, result)
            self._failed |= result.state == "failed"
            _say(f"{self.sweep.run(unit.trial).id}: {result.state}  {result.reason}")
            if fault := notification.notify_end(self.sweep, self.info, self.spec):
                _say(f"the end was not notified: {fault}")
            self._pages += mlflow_page.start_update(self.sweep, begins=False)
            may_begin, goes_on = self.scheduler.on_this_machine, not self.rank_info.restarts
            self._start_others(goes_on=goes_on)
            if not goes_on:
                return

    def _take(self, *, may_begin: bool) -> Unit | None:
        with self._taking:
            if self.sweep.cancel.exists():
                return None
            if self._own:
                return self._own.pop(0)
            results = folder.read_results(self.sweep).values()
            may_begin = may_begin and not budget.is_over(self.spec, results)
            return taking.take(self.sweep, self._method(), self.holder, may_begin=may_begin)

    def _method(self) -> Method:
        """Return the method, for the trials that there are now."""
        return methods.method_of(self.spec, folder.read_trials(self.sweep))

    def _start_others(self, *, goes_on: bool) -> None:
        """Start tasks for promotions that no task is left for; this one takes one if it
        `goes_on`. Several become ready at once where they had waited for one result."""
        assert self.spec.sweep is not None
        promoted = self._method().promotions(folder.read_results(self.sweep))
        taken = folder.claims(self.sweep)
        ready = sum(it not in taken for it in promoted) - goes_on
        if ready <= 0:
            return
        with contextlib.suppress(UserError):  # then they are for the tasks that there are
            alive = self.scheduler.count_tasks(folder.arrays(self.sweep))
            if (number := min(ready, self.spec.sweep.concurrent - alive)) > 0:
                plan = records.load(RunDir(self.sweep.path).plan, Plan)
                start.start_tasks(self.sweep, self.spec, plan, self.scheduler, number)

    def _train(self, unit: Unit) -> Result | None:
        """Train a unit; return its result, or None if it is not finished yet."""
        run = self.sweep.run(unit.trial)
        try:
            if run.journal.exists():
                _wait_for_other_job(run, self.holder)
            former = self._result(unit)
            if former and _is_final(former, run):  # its task has died before it wrote that
                return former
            return self._train_anew(unit)
        except UserError as error:
            return self._not_begun(unit, error.message)
        except Exception as error:
            traceback.print_exc()
            return self._not_begun(unit, f"{type(error).__name__}: {error}")

    def _train_anew(self, unit: Unit) -> Result | None:
        run, trials = self.sweep.run(unit.trial), folder.read_trials(self.sweep)
        trial = next(it for it in trials if it.number == unit.trial)
        assert self.spec.sweep is not None
        if self.spec.sweep.method == "tpe" and not trial.values:
            trial = study.choose(self.sweep, self.spec.sweep, trial)
        asked = trial_run.request(self.sweep, self.info, trial)
        pause = self._method().pause_after(unit)
        planned = trial_run.plan(asked, run, self.scheduler, pause, self.shared_by)
        trial_run.make_or_replan(self.sweep, trial, asked, planned, self.scheduler)
        if not self.scheduler.on_this_machine:
            self.holder.submission.save(run)
        _say(f"{run.id}: begins")
        with self._watched(run):
            code = self.scheduler.run_within(run, planned)
        if self.scheduler.on_this_machine:
            reconcile([run])
        elif code:
            self._record_failure(run, code)
        found = self._result(unit)
        is_failed = found is not None and found.state == "failed"
        return None if is_failed and (code is None or self._is_ended_from_outside()) else found

    @contextlib.contextmanager
    def _watched(self, run: RunDir) -> Iterator[None]:
        """Have a run paused once it is worse than the median of the others, where that is asked."""
        assert self.spec.sweep is not None
        if self.spec.sweep.method != "median":
            yield
            return
        ended = threading.Event()
        watch = median.Watch(self.sweep, run, self.info.metric, self.info.goal)
        thread = threading.Thread(target=watch.until, args=(ended,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _is_ended_from_outside(self) -> bool:
        """Return whether this job is being ended: then another task goes on with its unit."""
        (status,) = registry.query([Job(self.sweep.run(1), self.holder.submission)])
        return status.is_ending or status.phase in ("ended", "lost")

    def _record_failure(self, run: RunDir, code: int) -> None:
        """Journal the failure of tasks that have recorded none: nothing else will."""
        state, _ = journal.last_state(run.journal)
        if state in ("", "planned", "running"):
            reason = f"ended with exit code {code}"
            if self.scheduler.ran_out_of_memory(run, self.rank_info.job_id):
                reason = OUT_OF_MEMORY
            log = Journal(run.journal)
            log.append("state", state="failed", reason=reason)
            log.close()

    def _result(self, unit: Unit) -> Result | None:
        """Return the result of a unit whose run has ended; a part that was paused before this one
        has ended otherwise."""
        run, job_id = self.sweep.run(unit.trial), self.rank_info.job_id
        found = outcome.read(run, unit, self.info.metric, self.info.goal, job_id)
        if found and found.state == "paused" and run.pause.exists():
            return found.ended("pruned", found.reason, job_id)
        pause = self._method().pause_after(unit)
        if found and found.state == "paused" and (pause is None or found.epoch < pause):
            return None
        return found

    def _not_begun(self, unit: Unit, reason: str) -> Result:
        """Return the result of a unit that cannot be trained."""
        _say(f"{self.sweep.run(unit.trial).id}: {reason}")
        job_id = self.rank_info.job_id
        return Result(unit.trial, unit.rung, "failed", reason=reason, job_id=job_id)


def _is_final(result: Result, run: RunDir) -> bool:
    """Return whether a trial goes no further: one whose job was ended from outside does."""
    if result.state == "cancelled":
        return run.cancel.exists()
    return result.state != "failed"


def _rank_info(scheduler: Scheduler) -> RankInfo:
    return scheduler.rank_info(os.environ) or single_rank(scheduler.name)


def _wait_for_other_job(run: RunDir, holder: Holder) -> None:
    """Wait until no other job trains a run: that of a task which died may outlast it."""

    def has_ended() -> bool:
        status = read_status(run)
        return not status.active or status.job_id == holder.submission.job_id

    wait_until(has_ended, math.inf, _POLL_SECONDS)
    reconcile([run])


def _in_threads(works: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _say(message: str) -> None:
    sys.stdout.write(f"{datetime.now():%F %T} {' '.join(message.splitlines())}\n")
    sys.stdout.flush()


def main(path: Path, mark: str) -> int:
    """Work as a task of the sweep in a folder; return the exit code."""
    sweep = SweepDir(path)
    set_umask(folder_mode(RunDir(path)))
    # Slurm signals the script as well as the training, which saves and decides what follows.
    for number in STOPPING:
        signal.signal(number, lambda *_: None)
    try:
        return Task(sweep, mark).work()
    except UserError as error:
        _say(f"error: {error}")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), "".join(sys.argv[2:3])))
