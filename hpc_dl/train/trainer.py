"""One attempt at a run: resume, train, save, and finish with export and test."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from hpc_dl import model_card
from hpc_dl.data.dataset import Split
from hpc_dl.jobspec import units
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.plan import Plan
from hpc_dl.run import initial_weights
from hpc_dl.run.failure import NoProgress
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.run.weights import Weights
from hpc_dl.train import (
    control,
    cuda_graph,
    flop_rate,
    memory,
    memory_advice,
    predictions,
    rate_finder,
)
from hpc_dl.train.build import build_batches, build_engine, place_splits
from hpc_dl.train.checkpointing import Checkpointer
from hpc_dl.train.control import CheckpointSchedule, Control, Signals
from hpc_dl.train.distribute import distribute
from hpc_dl.train.early_stopping import EarlyStopping
from hpc_dl.train.evaluate import EvaluationMetrics, Measure, evaluate, evaluation_batch
from hpc_dl.train.heartbeat import Heartbeat
from hpc_dl.train.load_data import load_data
from hpc_dl.train.loop import CheckpointDue, Evaluated, NonFinite, Reported, train
from hpc_dl.train.nonfinite import NonFiniteGuard
from hpc_dl.train.recorder import Recorder
from hpc_dl.train.reproducibility import warn_nondeterministic
from hpc_dl.train.schedules import learning_rate
from hpc_dl.train.system_metrics import system_monitor
from hpc_dl.train.usage_monitor import UsageMonitor
from hpc_dl.train.world import World
from hpc_dl.usage.usage import CHECKPOINT, EVALUATION, TEST, TRAINING

T = TypeVar("T")


class Trainer:
    """One rank's attempt. Only rank 0 has a journal, and writes files."""

    def __init__(
        self,
        run: RunDir,
        spec: JobSpec,
        plan: Plan,
        rank_info: RankInfo,
        world: World,
        journal: Journal | None,
        signals: Signals,
        on_hang: Callable[[NoProgress], None],
    ) -> None:
        self.run, self.spec, self.plan, self.rank_info = run, spec, plan, rank_info
        self.world, self.journal, self.on_hang = world, journal, on_hang
        idle_warning = units.seconds(spec.train.idle_warning)
        self.usage = UsageMonitor(world, journal, rank_info.attempt, idle_warning)
        with self._heartbeat(), self.usage, memory.during(memory.LOADING, world.device):
            loaded = load_data(run, spec, plan, world)
        with memory.during(memory.MOVING, world.device):
            self.splits = place_splits(loaded, world.device)
        self.batches = build_batches(spec, plan, self.splits, world, run.code)
        peak = rate_finder.peak_rate(spec, plan, self.splits, self.batches, world, run)
        length = plan.steps, plan.steps_per_epoch
        rate = learning_rate(spec.train.schedule, peak, *length, run.code)
        with memory.during(memory.BUILDING, world.device):
            initial = initial_weights.find(run)
            self.engine = build_engine(spec, plan, self.splits, world, run.code, rate, initial)
        self.architecture = self.engine.architecture
        default, rule = self.architecture.monitored, spec.train.early_stopping
        self.early_stopping = EarlyStopping(default, rule, spec.checkpoint.monitor)
        names, engine = self.splits.names, self.engine
        self.guard = NonFiniteGuard(spec.train.on_nonfinite, run, engine, self.batches, names)
        self.checkpointer = Checkpointer(
            run, spec, engine, self.early_stopping, self.guard, journal
        )
        self.schedule = CheckpointSchedule(spec.checkpoint.every, plan)
        world.requests.own = Control(
            signals, self.schedule, run.pause, leads=journal is not None
        ).requests
        self.evaluation_batch = evaluation_batch(spec, plan)
        self.recorder = Recorder(
            run, spec, plan, engine, self.splits, journal, self.evaluation_batch
        )

    def train(self) -> str:
        """Train to the end or to a signal; return the outcome, as `worker.run` does."""
        self.flop_rate, known = flop_rate.of_training(self.engine, self.batches, self.spec.train)
        self._explaining_memory(lambda: distribute(self.engine, self.batches))
        resumed_from = self.checkpointer.resume()
        self._note_start()
        self.recorder.note_running(resumed_from)
        self.recorder.print(known)
        self.recorder.write_assets()
        if resumed_from is None:
            self.recorder.note_warm_start()
        if resumed_from is None and self.spec.train.on_nonfinite == "rollback":
            self._save()  # to have something to roll back to
        self._compile()
        first_step, started = self.engine.step, time.perf_counter()
        with (
            self._heartbeat(),
            self.usage,
            system_monitor(self.engine, self.plan, self.journal, self.usage),
            warn_nondeterministic(self.recorder.warn_once),
        ):
            try:
                outcome = self._explaining_memory(self._loop)
            except Exception:
                self.checkpointer.finish_own()  # before the journal is closed
                raise
            seconds = time.perf_counter() - started
            self.world.phases.enter(TEST)
            self.checkpointer.wait()
            if outcome == "completed":
                weights = self.checkpointer.load_best()
                nets = self.recorder.export(weights)
                values = self._test(weights)
                what = "test predictions"
                self.recorder.best_effort.on_all_ranks(what, lambda: self._predict(weights))
            self.usage.gather()
        if outcome == "completed" and self.journal is not None:
            with warn_nondeterministic(self.recorder.warn_once):
                self.recorder.draw_test(nets, weights)
            self._complete(values, weights, seconds, self.engine.step - first_step)
        return outcome

    # ---- the beginning

    def _heartbeat(self) -> Heartbeat:
        timeout = units.seconds(self.spec.train.hang_timeout)
        return Heartbeat(self.world, self.journal, timeout, self.on_hang)

    def _note_start(self) -> None:
        metric, size = self.early_stopping.metric, self.checkpointer.journal_size
        self.recorder.note_start(self.rank_info.attempt, size, metric)

    def _compile(self) -> None:
        """Capture the step's passes if the plan says so, or warn why they stay as they are."""
        if self.plan.compile == "off":
            return
        with warn_nondeterministic(self.recorder.warn_once):
            why = cuda_graph.capture(self.engine, self.batches, self.plan.steps_per_epoch)
        if why:
            self.recorder.warn_once(f"train.compile: no step is replayed as a CUDA graph: {why}")

    # ---- the loop

    def _explaining_memory(self, work: Callable[[], T]) -> T:
        """Return the result of `work`; if memory runs out, say which batch size fits."""
        return memory.explained(
            work, lambda error: memory_advice.explain_step(error, self.engine, self.batches)
        )

    def _loop(self) -> str:
        with self.recorder.profiling() as after_step:
            return self._train(after_step)

    def _train(self, after_step: Callable[[], None]) -> str:
        self.world.phases.enter(TRAINING)
        is_due, log_every = self.schedule.is_due, self.spec.train.log_every
        what = self.engine, self.batches, self._evaluate, self.early_stopping
        for event in train(*what, self.plan, is_due, log_every, after_step):
            match event:
                case Reported():
                    self.recorder.warn_of_unused()
                    values = event.values | self.flop_rate.metrics(event)
                    self.recorder.note_metrics(event.step, event.epoch, values)
                case NonFinite():
                    roll_back, warn = self.checkpointer.roll_back, self.recorder.warn
                    if self.guard.handle(event.update, roll_back, warn):
                        self._note_start()
                case Evaluated():
                    self.schedule.improved |= event.improved
                    with self.world.phases.during(EVALUATION):
                        self.recorder.note_evaluation(event)
                case CheckpointDue():
                    is_last = event.step == self.plan.pause_at or self.early_stopping.should_stop
                    is_asked = is_last or event.requests > 0
                    self._save(may_wait=not is_asked and self.schedule.may_wait(event.step))
                    if control.is_stop(event.requests) and event.step != self.plan.pause_at:
                        return self._stop(event.requests)
        is_complete = self.engine.step >= self.plan.steps or self.early_stopping.should_stop
        return "completed" if is_complete else self._stop()

    def _evaluate(self) -> dict[str, float]:
        with self.world.phases.during(EVALUATION):
            return self._measure(self.architecture.measure, self.splits.validation).compute()

    def _measure(self, measure: Measure, split: Split) -> EvaluationMetrics:
        """Evaluate this rank's share of a split."""
        engine, size = self.engine, self.evaluation_batch
        nets, seed = engine.evaluation_nets, (self.spec.train.seed, engine.step)
        # Each rank has its own batch norm statistics: those are evaluated that will be exported.
        self.world.broadcast(buffer for net in nets.values() for buffer in net.buffers())
        return memory.explained(
            lambda: evaluate(measure, nets, split, self.world, batch_size=size, seed=seed),
            lambda error: memory_advice.explain_evaluation(error, engine, measure, split, size),
        )

    def _save(self, *, may_wait: bool = False) -> None:
        saving = self.world.phases.during(CHECKPOINT)
        with saving, memory.during(memory.SAVING, self.world.device):
            self.checkpointer.save(best=self.schedule.improved, may_wait=may_wait)
        self.schedule.restart()

    def _stop(self, requests: int = 0) -> str:
        """Wait for the checkpoint, journal why the training stops, and return the outcome.

        Without a request it pauses, as planned.
        """
        self.checkpointer.wait()
        step, steps = self.engine.step, self.plan.steps
        saved = f"saved at step {step} of {steps}"
        if self.journal is not None and self.checkpointer.newest != step:
            saved = f"step {step} of {steps} could not be saved: see the warnings"
        if self.run.cancel.exists():
            state, outcome, why = "cancelled", "cancelled", "cancelled by the user"
        elif requests and self.run.pause.exists():
            state, outcome, why = "paused", "paused", self.run.pause.read_text()
        elif control.is_termination(requests):
            state, outcome = "stopped", "stopped"
            why = "terminated by SIGTERM (pre-empted, or cancelled outside hpcdl)"
        elif control.is_stop(requests):
            state, outcome, why = "stopped", "requeue", "the time limit is near"
        else:
            epochs = f"{step / self.plan.steps_per_epoch:g} of {self.plan.epochs}"
            state, outcome, why = "paused", "paused", f"as planned, after epoch {epochs}"
        self.recorder.note("state", state=state, reason=f"{why}; {saved}")
        return outcome

    # ---- the end

    def _test(self, weights: Weights) -> dict[str, float]:
        """Return and journal the test metrics; {} if they cannot be measured."""
        self.recorder.note("state", state="running", reason="trained, and being tested")
        what, found, on_all_ranks = "test metrics", None, self.recorder.best_effort.on_all_ranks
        measure, split = self.architecture.test, self.splits.test
        metrics = on_all_ranks(what, lambda: self._measure(measure, split))
        if metrics is not None:
            found = on_all_ranks(what, metrics.compute)
        values = {f"test/{name}": value for name, value in (found or {}).items()}
        epoch = (weights.step - 1) // self.plan.steps_per_epoch
        self.recorder.note_metrics(weights.step, epoch, values)
        return values

    def _predict(self, weights: Weights) -> None:
        """Write the tables of test predictions."""
        parts = predictions.predict(
            self.architecture,
            self.engine.evaluation_nets,
            self.splits.test,
            self.world,
            batch_size=self.evaluation_batch,
            seed=(self.spec.train.seed, self.engine.step),
        )
        try:
            self.recorder.write_predictions(parts, weights)
        finally:
            for _ in parts:  # the ranks compute them together
                pass

    def _complete(
        self, values: Mapping[str, float], weights: Weights, seconds: float, steps: int
    ) -> None:
        """Journal the summary and the end."""
        self.recorder.note_summary(
            weights,
            seconds=round(seconds, 3),
            seconds_per_step=seconds / steps if steps else None,
            values=values,
            validation=self.early_stopping.values_of(weights.step),
        )
        with self.recorder.best_effort.on_this_rank("model card"):
            model_card.write(self.run)
        is_early, idle = self.engine.step < self.plan.steps, self.early_stopping.idle_epochs
        why = f"no improvement for {idle} epochs" if is_early else "all steps"
        reason = f"{self.engine.step} steps trained: {why}"
        self.recorder.note("state", state="completed", reason=reason)
