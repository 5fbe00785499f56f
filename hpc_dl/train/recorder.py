"""Recorder: what rank 0 writes of a run, that is journal events, warnings, pictures and export."""

from __future__ import annotations

import contextlib
import resource
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from hpc_dl.data.dataset import HostSplit, Split, Splits
from hpc_dl.data.sampler import held_out
from hpc_dl.errors import first_few
from hpc_dl.jobspec import units
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning import warm_start
from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal, versions
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import DamagedFile, RunDir
from hpc_dl.run.monitor import RunMonitor
from hpc_dl.run.weights import Weights
from hpc_dl.train import (
    batch_norm,
    export,
    memory,
    pictures,
    predictions,
    rate_finder,
    side_effects,
    step_profile,
)
from hpc_dl.train.best_effort import BestEffort
from hpc_dl.train.engine import Engine
from hpc_dl.train.environment import environment
from hpc_dl.train.loop import Evaluated
from hpc_dl.train.pictures import Caption, sample_of
from hpc_dl.train.predictions import Part
from hpc_dl.train.step_profile import StepProfile
from hpc_dl.zoo.contract import Batch


class Recorder:
    """Writes events and files of an attempt; without a journal, on other ranks, nothing."""

    def __init__(
        self,
        run: RunDir,
        spec: JobSpec,
        plan: Plan,
        engine: Engine,
        splits: Splits,
        journal: Journal | None,
        evaluation_batch: int,
    ) -> None:
        self.run, self.spec, self.plan, self.engine = run, spec, plan, engine
        self.splits, self.journal, self.evaluation_batch = splits, journal, evaluation_batch
        self.best_effort = BestEffort(run, engine.world, self.warn, is_sharded=engine.is_sharded)
        self._shown, self._shown_split = "validation", splits.validation
        if not len(splits.validation):
            self._shown, self._shown_split = "training", splits.train
        self._sample = sample_of(self._shown_split, engine.world.device, spec.train.seed)
        self._warned: set[str] = set()
        self._monitor = RunMonitor(run, plan, journal.size() if journal else 0)

    # ---- events

    def note(self, event: str, **fields: Any) -> None:
        """Append an event to the journal; states are printed as well."""
        if self.journal is not None:
            self.journal.append(event, **fields)
            if event == "state":
                self._print_new()

    def print(self, line: str) -> None:
        """Print a line to the log."""
        if self.journal is not None:
            sys.stderr.write(f"{line}\n")

    def _print_new(self) -> None:
        """Print what the journal has of states, epochs and tests since the last time."""
        with contextlib.suppress(OSError, DamagedFile):  # of a full disk
            for event in self._monitor.read():
                if event["event"] == "state":
                    sys.stderr.write(f"{event['state']}: {event.get('reason') or ''}\n")
                elif line := self._monitor.line(event):
                    sys.stderr.write(f"{line}\n")

    def note_start(self, attempt: str, journal_size: int, monitor: str | None) -> None:
        """Journal the start at the engine's step; later steps in the journal are trained again."""
        if self.journal is None:
            return
        found = environment(self.engine.world.device)
        before, now = versions.newest(self.run) or {}, versions.of({"environment": found})
        self.note(
            "started",
            attempt=attempt,
            step=self.engine.step,
            cut=journal_size,
            monitor=monitor,
            world_size=self.engine.world.size,
            device=str(self.engine.world.device),
            environment=found,
        )
        if differs := versions.difference(before, now):
            self.warn(f"{' and '.join(differs)}: it may not end with the same bits")

    def note_running(self, resumed_from: str | None) -> None:
        """Journal where and from which checkpoint the training runs, and warn of batch norm."""
        if self.journal is None:
            return
        if resumed_from is None:
            with self.best_effort.on_this_rank("picture of the search for a learning rate"):
                self._draw_search()
        world = self.engine.world
        start = f"from {resumed_from}" if resumed_from else "from the beginning"
        ranks = "1 rank" if world.size == 1 else f"{world.size} ranks"
        on_host = isinstance(self.splits.train, HostSplit)
        device = f"{world.device.type}{', examples in main memory' if on_host else ''}"
        reason = f"{ranks} on {socket.gethostname()}, {device}, {start}"
        self.note("state", state="running", reason=reason)
        is_asked, nets = self.spec.train.sync_batch_norm, self.engine.unwrapped
        if warning := batch_norm.warning(nets, self.plan, world.size, synchronised=is_asked):
            self.warn_once(warning)

    def note_warm_start(self) -> None:
        """Print, journal and write what began with the weights of another training."""
        begun = self.engine.begun
        if self.journal is None or not begun.source:
            return
        sys.stderr.write("".join(f"{line}\n" for line in begun.lines()))
        self.note("warm_start", source=begun.source, **begun.to_json())
        if not begun.is_known:
            self.warn_once(warm_start.UNKNOWN_DATA)
        path = self.run.artifacts / "warm_start.csv"
        path.write_text(begun.table(), encoding="utf-8")
        caption = f"What of {begun.source} was taken"
        self.note("artifact", **pictures.artifact_event(self.run, path, 0, caption))

    def note_metrics(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Journal metrics, if there are any; at the end of an epoch print them as well."""
        if not values or self.journal is None:
            return
        self.note("metrics", step=step, epoch=epoch, values=values)
        if step % self.plan.steps_per_epoch == 0 or step == self.plan.steps:
            self._print_new()  # it reads the journal, which within an epoch would be for nothing

    def note_evaluation(self, event: Evaluated) -> None:
        """Journal validation metrics, and draw pictures after epochs 1, 2, 4, 8, ..."""
        values = {f"val/{name}": value for name, value in event.values.items()}
        self.note_metrics(event.step, event.epoch, values)
        epochs = event.epoch + 1
        if epochs & (epochs - 1) == 0:  # often while much changes
            weights = Weights(event.step, averaged=bool(self.engine.ema_nets))
            caption = Caption(self._shown, weights)
            self._draw(self.engine.full_nets(), self._sample, self._shown_split, caption)

    def note_summary(self, weights: Weights, **fields: Any) -> None:
        """Journal the summary of a completed training."""
        parameters = parameter_count(self.engine.unwrapped)
        peak = peak_memory(self.engine.world.device)
        found = {"parameters": parameters, "peak_memory": peak, "weights": weights.to_json()}
        self.note("summary", **found, **fields)

    # ---- warnings

    def warn(self, message: str) -> None:
        """Print a warning and journal it."""
        sys.stderr.write(f"warning: {message}\n")
        self.note("warning", message=message)

    def warn_once(self, message: str) -> None:
        """Warn, unless this or an earlier attempt has done so."""
        if self.journal is None or message in self._warned:
            return
        self._warned.add(message)
        events = journal.view(self.run.journal)
        if not any(it["event"] == "warning" and it["message"] == message for it in events):
            self.warn(message)

    def warn_of_unused(self) -> None:
        """Warn of parameters that the first step has left without a gradient."""
        if self.spec.train.find_unused_parameters:
            return
        for player, names in self.engine.unused.items():
            if names:
                self.warn_once(
                    f"the loss of player '{player}' does not use these parameters, which stay as "
                    f"they are unless a later step uses them: {first_few(names, 8)}"
                )

    # ---- files

    def write_assets(self) -> None:
        """Write what was fitted on the training split, which goes into the export as well."""
        if self.journal is None:
            return
        for name, text in self.splits.assets.items():
            self.run.assets.mkdir(exist_ok=True)
            (self.run.assets / name).write_text(text, encoding="utf-8")

    def export(self, weights: Weights) -> Mapping[str, nn.Module]:
        """Write the trained networks, and return them, with all weights on rank 0."""
        with memory.during(memory.EXPORTING, self.engine.world.device):
            nets = self.engine.full_nets()
            if self.journal is not None:
                what = self.engine.architecture, nets, self.spec, self.plan, self._sample
                with export.complete_export(self.run):
                    export.write_export(*what, self.run.export, weights)
        self.engine.world.progress.touch()
        return nets

    def draw_test(self, nets: Mapping[str, nn.Module], weights: Weights) -> None:
        """Draw pictures of the test split."""
        if len(test := self.splits.test):
            caption = Caption("test", weights, is_final=True)
            with self.best_effort.on_this_rank(f"pictures{caption.which}"):
                sample = sample_of(test, self.engine.world.device, self.spec.train.seed)
                self._draw(nets, sample, test, caption)

    def write_predictions(self, parts: Iterator[Part], weights: Weights) -> None:
        """Write the tables of test predictions, and journal them."""
        if self.journal is None:
            return
        folder, names = self.run.artifacts / "test", self.splits.names
        tables = predictions.tables_of(self.engine.architecture)
        for path in predictions.write(parts, tables, names, folder):
            caption = f"{path.stem}, test split, {weights.name}"
            event = pictures.artifact_event(self.run, path, weights.step, caption)
            self.note("artifact", **event)

    def _draw(
        self, nets: Mapping[str, nn.Module], sample: Batch, split: Split, caption: Caption
    ) -> None:
        if self.journal is None:
            return
        key = (self.spec.train.seed, self.engine.step)
        batches = held_out(split, self.evaluation_batch, 0, 1)
        where = self.run, key, caption, self.best_effort
        drawing = self.best_effort.on_this_rank(f"pictures{caption.which}", caption.when)
        timeout = units.seconds(self.spec.train.hang_timeout)
        live = {} if self.engine.is_sharded else nets  # others are gathered for the pictures
        with drawing, side_effects.limited(timeout), side_effects.undone(live):
            for event in pictures.draw(self.engine.architecture, nets, sample, batches, *where):
                self.journal.append("artifact", **event)
                self.engine.world.progress.touch()  # no hang, though it takes seconds

    @contextlib.contextmanager
    def profiling(self) -> Iterator[Callable[[], None]]:
        """Make the profile that the job spec asks for, of rank 0, unless an earlier attempt has
        done so; yield what is to be called after each step."""
        steps = self.spec.train.profile
        if steps is None or self.journal is None or self.run.profile.exists():
            yield lambda: None
            return
        profile = StepProfile(steps, self.engine.world.device, self._write_profile)
        try:
            yield profile.after_step
        finally:
            profile.close()
        if not profile.is_complete and self.engine.step >= self.plan.steps:
            self.warn("no profile: too few steps were left")

    def _write_profile(self, found: torch.profiler.profile) -> None:
        with self.best_effort.on_this_rank("profile"):
            sys.stderr.write(f"{step_profile.table(found, self.engine.world.device)}\n")
            step_profile.write_trace(found, self.run.profile)
            caption = "What was computed when, in a few steps"
            step = self.engine.step
            self.note(
                "artifact", **pictures.artifact_event(self.run, self.run.profile, step, caption)
            )
        self.engine.world.progress.touch()

    def _draw_search(self) -> None:
        if curve := rate_finder.curve(self.run):
            self.note("artifact", **pictures.write_curve(curve, "learning_rate", self.run))


def parameter_count(nets: Mapping[str, nn.Module]) -> int:
    """Return the number of trainable weights."""
    return sum(p.numel() for net in nets.values() for p in net.parameters() if p.requires_grad)


def peak_memory(device: torch.device) -> int:
    """Return the most bytes that this rank has held, on its GPU or else in main memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
