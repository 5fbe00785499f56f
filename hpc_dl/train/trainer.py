"""One attempt at a run: resume, train, save, and finish; what happens goes to the journal."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch.distributed as dist
from torch import nn

from hpc_dl.data import fingerprint, loading, sources
from hpc_dl.data.batches import held_out
from hpc_dl.data.dataset import Batch, HostSplit, Split, Splits
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec import units
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal
from hpc_dl.run.failure import NoProgress
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.run.weights import Weights
from hpc_dl.train import (
    batch_norm,
    deterministic,
    export,
    memory,
    memory_advice,
    predictions,
    rate_finder,
    signals,
)
from hpc_dl.train.best_effort import Extras
from hpc_dl.train.build import beside, build_batches, build_engine
from hpc_dl.train.checkpoint_schedule import Rhythm
from hpc_dl.train.checkpointing import Saving
from hpc_dl.train.early_stopping import Patience
from hpc_dl.train.environment import environment
from hpc_dl.train.evaluate import Measure, Seen, evaluate
from hpc_dl.train.gpu_metrics import Gathering
from hpc_dl.train.heartbeat import Pulse
from hpc_dl.train.loop import Boundary, Cadence, Evaluated, NonFinite, Stepped, train
from hpc_dl.train.nonfinite import Guard
from hpc_dl.train.optim import learning_rate
from hpc_dl.train.system_metrics import watching
from hpc_dl.train.world import World

T = TypeVar("T")


class Training:
    """Everything of one rank's attempt. Only rank 0 has a journal, and writes files."""

    def __init__(
        self,
        run: RunDir,
        spec: JobSpec,
        plan: Plan,
        rank_info: RankInfo,
        world: World,
        journal: Journal | None,
        received: signals.Signals,
        on_hang: Callable[[NoProgress], None],
    ) -> None:
        self.run, self.spec, self.plan, self.rank_info = run, spec, plan, rank_info
        self.world, self.journal, self.received = world, journal, received
        self.on_hang = on_hang
        with memory.during(memory.LOADING, world.device):
            loaded = self._load_data()
        with memory.during(memory.MOVING, world.device):
            self.splits = beside(loaded, world.device)
        self.batches = build_batches(spec, plan, self.splits, world)
        peak = rate_finder.peak_rate(spec, plan, self.splits, self.batches, world, run)
        rate = learning_rate(spec.train.schedule, peak, plan.steps, plan.steps_per_epoch)
        with memory.during(memory.BUILDING, world.device):
            self.engine = build_engine(spec, plan, self.splits, world, run.code, rate, self._asked)
        self.architecture = self.engine.architecture
        default, rule = self.architecture.monitored, spec.train.early_stopping
        self.patience = Patience(default, rule, spec.checkpoint.monitor)
        self.shown, self.watched = "validation", self.splits.validation
        if not len(self.watched):
            self.shown, self.watched = "training", self.splits.train
        self.sample = export.sample_of(self.watched, world.device, spec.train.seed)
        names = self.splits.names
        guard = Guard(spec.train.on_nonfinite, run, self.engine, self.batches, names)
        self.saving = Saving(run, spec, self.engine, self.patience, guard, journal)
        self.rhythm = Rhythm(spec.checkpoint.every, plan)
        self.extras = Extras(run, self.engine, self._warn)
        self.seconds = 0.0
        self.warned: set[str] = set()
        self.evaluation_batch = plan.micro_batch
        if spec.train.micro_batch is None:  # nobody has asked for small parts
            self.evaluation_batch = max(plan.micro_batch, 256)

    def train(self) -> str:
        """Train to the end or to a signal; returns the outcome, as `worker.run` does."""
        if self.world.size > 1:
            self._stepping(lambda: self.engine.settle_in(self.batches))
        resumed_from = self.saving.resume()
        self._begin(resumed_from)
        if resumed_from is None and self.spec.train.on_nonfinite == "rollback":
            self._save()  # to have something to go back to
        first_step, started = self.engine.step, time.perf_counter()
        timeout = units.seconds(self.spec.train.hang_timeout)
        with (
            Pulse(self.world, self.journal, timeout, self.on_hang),
            Gathering(self.world) as gpus,
            watching(self.engine, self.plan, self.journal, gpus),
            deterministic.reported(self._warn_once),
        ):
            outcome = self._stepping(self._loop)
            self.seconds = time.perf_counter() - started
            self.saving.wait()
            if outcome == "completed":
                weights = self.saving.load_best()
                nets = self._export(weights)
                values = self._test(weights)
                self.extras.together("test predictions", lambda: self._predict(weights))
        if outcome == "completed" and self.journal is not None:
            with deterministic.reported(self._warn_once):
                self._draw_test(nets, weights)
            self._sum_up(values, weights, self.engine.step - first_step)
        return outcome

    def _load_data(self) -> Splits:
        """Rank 0 prepares and caches; the others wait, and find it done."""
        if self.world.rank > 0:
            dist.barrier()
        spec = self.spec
        source = sources.build(spec.data, Path(self.plan.data_root), self.run.code)
        if self.world.rank == 0:
            now = fingerprint.take(source, spec.model, self.plan.facts)
            fingerprint.check(self.run, now)
        splits = loading.load(source, self.plan.workers)
        if self.world.rank == 0 and self.world.size > 1:
            dist.barrier()
        if splits.facts != self.plan.facts:
            now = fingerprint.take(source, spec.model, splits.facts)
            fingerprint.check(self.run, now)
        if replace(splits.facts, contents=self.plan.facts.contents) != self.plan.facts:
            raise UserError(
                f"the data have changed since the submission: {splits.facts} now, "
                f"{self.plan.facts} then",
                hint="Submit again; with other data it is another training: hpcdl submit --new.",
            )
        return splits

    def _begin(self, resumed_from: str | None) -> None:
        if self.journal is None:
            return
        self._note_start()
        if resumed_from is None:
            with self.extras.alone("picture of the search for a learning rate"):
                self._draw_search()
        begins = f"from {resumed_from}" if resumed_from else "from the beginning"
        ranks = "1 rank" if self.world.size == 1 else f"{self.world.size} ranks"
        beside = ", examples in main memory" if isinstance(self.splits.train, HostSplit) else ""
        device = f"{self.world.device.type}{beside}"
        reason = f"{ranks} on {socket.gethostname()}, {device}, {begins}"
        self.journal.append("state", state="running", reason=reason)
        asked, nets = self.spec.train.sync_batch_norm, self.engine.bare
        if warning := batch_norm.warning(nets, self.plan, self.world.size, synchronised=asked):
            self._warn_once(warning)

    def _draw_search(self) -> None:
        if curve := rate_finder.curve(self.run):
            self._note("artifact", **export.keep_curve(curve, "learning_rate", self.run))

    def _note_start(self) -> None:
        self._note(
            "started",
            attempt=self.rank_info.attempt,
            step=self.engine.step,
            cut=self.saving.cut,
            monitor=self.patience.metric,
            world_size=self.world.size,
            device=str(self.world.device),
            environment=environment(self.world.device),
        )

    # ---- the loop

    def _stepping(self, work: Callable[[], T]) -> T:
        """What `work` returns; where memory runs out, the error says of what batch a step fits."""
        return memory.attempt(
            work, lambda error: memory_advice.explain_step(error, self.engine, self.batches)
        )

    def _loop(self) -> str:
        plan = self.plan
        cadence = Cadence(
            plan.steps,
            plan.steps_per_epoch,
            self.spec.train.log_every,
            plan.examples_seen,
            self.rhythm.is_due,
            plan.pause_at,
        )
        for event in train(self.engine, self.batches, self._evaluate, self.patience, cadence):
            match event:
                case Stepped():
                    self._warn_of_unused()
                    self._note_metrics(event.step, event.epoch, event.values)
                case NonFinite():
                    if self.saving.guard.handle(event.turn, self.saving.go_back, self._warn):
                        self._note_start()
                case Evaluated():
                    self._on_evaluated(event)
                case Boundary():
                    self._save()
                    if signals.stops(event.asked) or event.step == plan.pause_at:
                        return self._stop(event)
        return "completed"

    def _warn_of_unused(self) -> None:
        """Say which parameters the first step has left as they were."""
        if self.spec.train.find_unused_parameters:
            return
        for player, names in self.engine.unused.items():
            if names:
                self._warn_once(
                    f"parameters without a part in the loss of player '{player}', which stay as "
                    f"they are unless a later step uses them: {first_few(names, 8)}"
                )

    def _evaluate(self) -> dict[str, float]:
        return self._measured(self.architecture.measure, self.splits.validation).values()

    def _measured(self, measure: Measure, split: Split) -> Seen:
        """What is measured of this rank's share of a split."""
        engine, size = self.engine, self.evaluation_batch
        nets, seed = engine.best_nets, (self.spec.train.seed, engine.step)
        # Statistics that each rank has taken for itself: those are judged that will be kept.
        self.world.broadcast(buffer for net in nets.values() for buffer in net.buffers())
        return memory.attempt(
            lambda: evaluate(measure, nets, split, self.world, batch_size=size, seed=seed),
            lambda error: memory_advice.explain_evaluation(error, engine, measure, split, size),
        )

    def _on_evaluated(self, event: Evaluated) -> None:
        self.rhythm.improved |= event.improved
        values = {f"val/{name}": value for name, value in event.values.items()}
        self._note_metrics(event.step, event.epoch, values)
        ordinal = event.epoch + 1
        if ordinal & (ordinal - 1) == 0:  # after epochs 1, 2, 4, 8, ...: often while much changes
            weights = Weights(event.step, averaged=bool(self.engine.averages))
            shown = export.Shown(self.shown, weights)
            self._draw(self.engine.whole_nets(), self.sample, self.watched, shown)

    def _stop(self, event: Boundary) -> str:
        """Save what there is, and say why; which outcome follows from the signal."""
        self.saving.wait()
        saved = f"saved at step {event.step} of {self.plan.steps}"
        if self.journal is not None and self.saving.newest != event.step:
            saved = f"step {event.step} of {self.plan.steps} could not be saved: see the warnings"
        if self.run.cancel.exists():
            self._note("state", state="cancelled", reason=f"cancelled by the user; {saved}")
            return "cancelled"
        if signals.terminates(event.asked):
            reason = f"terminated by SIGTERM (pre-empted, or cancelled outside hpcdl); {saved}"
            self._note("state", state="stopped", reason=reason)
            return "stopped"
        if signals.stops(event.asked):
            self._note("state", state="stopped", reason=f"the time limit is near; {saved}")
            return "requeue"
        self._note("state", state="stopped", reason=f"paused as planned; {saved}")
        return "stopped"

    # ---- saving

    def _asked(self) -> int:
        """What this rank wants all ranks to do: a signal it got, or a save by rank 0's clock."""
        due = self.journal is not None and self.rhythm.by_the_clock()
        return self.received.seen + (signals.SAVE if due else 0)

    def _save(self) -> None:
        with memory.during(memory.SAVING, self.world.device):
            self.saving.save(best=self.rhythm.improved)
        self.rhythm.saved()

    # ---- the end

    def _export(self, weights: Weights) -> Mapping[str, nn.Module]:
        """Write the trained networks before anything else; they, with all weights, on rank 0."""
        with memory.during(memory.EXPORTING, self.world.device):
            nets = self.engine.whole_nets()
            if self.journal is not None:
                what = self.architecture, nets, self.spec, self.plan, self.sample
                with export.whole_export(self.run):
                    export.write_export(*what, self.run.export, weights)
        self.world.mark.reach(self.world.mark.at)
        return nets

    def _test(self, weights: Weights) -> dict[str, float]:
        """What the weights reach on the test split; nothing where that cannot be measured."""
        self._note("state", state="running", reason="trained, and being tested")
        what, found = "test metrics", None
        measure, split = self.architecture.test, self.splits.test
        seen = self.extras.together(what, lambda: self._measured(measure, split))
        if seen is not None:
            found = self.extras.together(what, seen.values)
        values = {f"test/{name}": value for name, value in (found or {}).items()}
        self._note_metrics(weights.step, (weights.step - 1) // self.plan.steps_per_epoch, values)
        return values

    def _predict(self, weights: Weights) -> None:
        """Write tables of what is predicted of the test examples."""
        parts = predictions.predict(
            self.architecture,
            self.engine.best_nets,
            self.splits.test,
            self.world,
            batch_size=self.evaluation_batch,
            seed=(self.spec.train.seed, self.engine.step),
        )
        folder, names = self.run.artifacts / "test", self.splits.names
        try:
            if self.journal is not None:
                tables = predictions.tables_of(self.architecture)
                for path in predictions.write(parts, tables, names, folder):
                    caption = f"{path.stem}, test split, {weights.name}"
                    self._note("artifact", **export.artifact(self.run, path, weights.step, caption))
        finally:
            for _ in parts:  # the ranks compute them together
                pass

    def _draw_test(self, nets: Mapping[str, nn.Module], weights: Weights) -> None:
        if len(test := self.splits.test):
            shown = export.Shown("test", weights, final=True)
            with self.extras.alone("pictures of the test split"):
                sample = export.sample_of(test, self.world.device, self.spec.train.seed)
                self._draw(nets, sample, test, shown)

    def _sum_up(self, values: Mapping[str, float], weights: Weights, steps: int) -> None:
        self._note(
            "summary",
            parameters=export.parameter_count(self.engine.bare),
            seconds=round(self.seconds, 3),
            seconds_per_step=self.seconds / steps if steps else None,
            peak_memory=export.peak_memory(self.world.device),
            values=values,
            weights=weights.to_json(),
            validation=self.patience.values_of(weights.step),
        )
        early = self.engine.step < self.plan.steps
        why = f"no improvement for {self.patience.idle_epochs} epochs" if early else "all steps"
        self._note("state", state="completed", reason=f"{self.engine.step} steps trained: {why}")

    # ---- the journal

    def _draw(
        self, nets: Mapping[str, nn.Module], sample: Batch, split: Split, shown: export.Shown
    ) -> None:
        if self.journal is None:
            return
        key, found = (self.spec.train.seed, self.engine.step), self.architecture
        batches = held_out(split, self.evaluation_batch, 0, 1)
        more = self.run, key, shown, self.extras
        with self.extras.alone(f"pictures of step {shown.weights.step}"):
            for drawn in export.draw(found, nets, sample, batches, *more):
                self.journal.append("artifact", **drawn)
                self.world.mark.reach(self.world.mark.at)  # no hang, though it takes seconds

    def _warn_once(self, message: str) -> None:
        """Unless it has been said, be it by an earlier attempt."""
        if self.journal is None or message in self.warned:
            return
        self.warned.add(message)
        said = (event for event in journal.view(self.run.journal) if event["event"] == "warning")
        if all(event["message"] != message for event in said):
            self._warn(message)

    def _warn(self, message: str) -> None:
        sys.stderr.write(f"warning: {message}\n")
        self._note("warning", message=message)

    def _note_metrics(self, step: int, epoch: int, values: dict[str, float]) -> None:
        if values:
            self._note("metrics", step=step, epoch=epoch, values=values)

    def _note(self, event: str, **fields: Any) -> None:
        if self.journal is not None:
            self.journal.append(event, **fields)
