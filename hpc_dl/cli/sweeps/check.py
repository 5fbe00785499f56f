"""Check of a sweep before it is submitted: each of its trials is validated and planned.

A fault is shown where its value stands in the section `sweep`, once for all trials that have it.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from hpc_dl.cli import job_request
from hpc_dl.cli.job_request import JobRequest
from hpc_dl.errors import UserError
from hpc_dl.jobspec import faults, spec_file
from hpc_dl.jobspec.faults import Fault
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.schema import to_yaml
from hpc_dl.jobspec.spec_file import SpecError
from hpc_dl.jobspec.sweep import Choice, Distribution, Sweep, as_json
from hpc_dl.jobspec.yaml_text import Path
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.scheduler.base import Scheduler
from hpc_dl.submission import snapshot
from hpc_dl.sweep import metric, space
from hpc_dl.sweep.trial import Trial

_LONGEST_NAME = 56
"""Characters, so that `NAME.sNUMBER` is a name, too."""
WRITE_IT = """Write what is tried into the spec:
  sweep:
    parameters:
      train.optimizer.lr: [1e-3, 1e-4]
or on the command line: hpcdl submit JOB.yaml --sweep train.optimizer.lr=[1e-3,1e-4]"""


def checked_trials(
    request: JobRequest, scheduler: Scheduler, known: Sequence[Trial] = ()
) -> list[Trial]:
    """Return the trials of a sweep that are not `known` yet; without values those of TPE, which
    chooses them as each begins.

    Every one of them is valid, and can be planned; of TPE's, those with all choices and limits.
    Paths among their values are absolute. Raises SpecError, and UserError where there is no sweep.
    """
    sweep = request.spec.sweep
    if sweep is None:
        raise UserError(f"{request.file} has no section `sweep`", hint=WRITE_IT)
    with job_request.errors_with_position(request.file, request.overrides):
        _check_whole(request.spec)
        chosen = dict(
            zip(("metric", "goal"), metric.resolve(request.spec, request.facts), strict=True)
        )
    sweep = sweep.model_copy(update=chosen)
    is_later = sweep.method == "tpe"
    checking, checked = _Checking(request, scheduler, sweep), []
    found: dict[tuple[Path, Path], _Faulty] = {}
    for trial in space.limits(sweep) if is_later else space.trials(sweep, known):
        try:
            checked.append(checking.check(trial))
        except SpecConflict as error:
            for fault in error.faults:
                place = _place(sweep, trial, fault)
                found.setdefault((place, fault.path), _Faulty(place, fault, trial)).trials += 1
    if found:
        document = spec_file.read(request.file, request.overrides, JobSpec)
        raise SpecError([it.shown(is_later).located(document) for it in found.values()])
    if is_later:
        return [dataclasses.replace(it, values={}) for it in space.trials(sweep, known)]
    return checked


def _check_whole(spec: JobSpec) -> None:
    """Raise SpecConflict for what goes with no trial."""
    assert spec.sweep is not None
    if len(spec.name) > _LONGEST_NAME:
        raise SpecConflict(
            "name",
            f"of a sweep it has at most {_LONGEST_NAME} characters, for its number follows",
        )
    if spec.sweep.method == "hyperband" and spec.train.epochs is None:
        raise SpecConflict(
            "sweep.method",
            "the brackets of hyperband are made of epochs; the spec has train.steps",
            "Write train.epochs, or take asha.",
        )
    shared, asked = spec.sweep.trials_per_gpu, spec.resources
    ranks = asked.nodes * (asked.gpus_per_node or asked.tasks_per_node or 1)
    if shared > 1 and ranks > 1:
        raise SpecConflict(
            "sweep.trials_per_gpu",
            f"trainings that share a job have one rank each, not {ranks}",
            "Leave it out, or ask for one node and at most one GPU.",
        )


@dataclass
class _Faulty:
    """A fault of a value at a place of the spec, and the first trial that has it."""

    place: Path
    fault: Fault
    trial: Trial
    trials: int = 0

    def shown(self, is_later: bool) -> Fault:
        """Return the fault at its place, with the trials that have it."""
        pairs = space.values_of(self.trial).items()
        values = ", ".join(f"{key} {to_yaml(value)}" for key, value in pairs)
        number = "a trial" if is_later else f"trial {self.trial.number}"
        more = f"; and {self.trials - 1} more" if self.trials > 1 else ""
        message = f"{self.fault.message} ({number}: {values}{more})"
        return dataclasses.replace(self.fault, path=self.place, message=message)


class _Checking:
    """The checks of trials, with what is known of the data and files that several of them share."""

    def __init__(self, request: JobRequest, scheduler: Scheduler, sweep: Sweep) -> None:
        self._request, self._scheduler, self._sweep = request, scheduler, sweep
        self._values = space.given(request.spec)
        self._drawn = {key for key, _, it in sweep.places() if isinstance(it, Distribution)}
        self._tried: set[tuple[str, str]] = set()
        self._known = {_files_key(request.spec): request}
        words = (it.partition("=")[0] for it in request.overrides)
        self._typed = [it.removeprefix("sweep.parameters.") for it in words]

    def check(self, trial: Trial) -> Trial:
        """Return the trial with absolute paths. Raises SpecConflict with all of its faults."""
        spec = self._spec(trial)
        try:
            fixed = job_request.with_absolute_paths(spec, self._typed, self._request.base)
            if (key := _files_key(fixed)) not in self._known:
                self._known[key] = self._request.with_spec(fixed)
            request = dataclasses.replace(self._known[key], spec=fixed)
            request.try_plan(self._request.run_root / "trial", self._scheduler)
            metric.resolve(fixed.model_copy(update={"sweep": self._sweep}), request.facts)
            self._try_code(request, trial)
        except SpecConflict:
            raise
        except UserError as error:
            conflict = SpecConflict("data", error.message, error.hint)
            conflict.faults = [Fault(("data",), error.message, error.hint)]
            raise conflict from None
        return _with_paths_of(trial, spec, fixed)

    def _try_code(self, request: JobRequest, trial: Trial) -> None:
        """Have the user's code, or the library's, take the values that no trial before had: every
        one of a list, and of a distribution one of each type and sign, for it takes seconds.

        Raises SpecConflict and other UserErrors.
        """
        spec, parts = request.spec, request.spec.foreign_parts()
        new = {
            (key, self._kind(key, value))
            for key, value in trial.values.items()
            if any(f"{key}.".startswith(f"{part}.") for part in parts)
        } - self._tried
        if not new:
            return
        self._tried |= new
        code = snapshot.take(spec, request.base, request.data_root, request.facts)
        if missing := set(code.files) - set(self._request.code.files):
            part = next(iter(spec.user_parts()), "model")
            file = min(missing)
            raise SpecConflict(
                f"{part}.name", f"the sweep gets no copy of {file}", f"Add it: code: [{file}]"
            )

    def _kind(self, key: str, value: Any) -> str:
        if key in self._drawn and isinstance(value, int | float):
            return f"{type(value).__name__} {value > 0}"
        return as_json(value)

    def _spec(self, trial: Trial) -> JobSpec:
        document = space.document_of(self._values, trial)
        keys = list(space.values_of(trial))
        found = [
            Fault(tuple(keys[it.mark.line - 1].split(".")), it.message, it.hint, of_key=True)
            for it in document.problems
        ]
        try:
            spec = JobSpec.model_validate(document.values)
        except ValidationError as error:
            found += faults.find_faults(error, document.values, JobSpec)
        if found:
            raise SpecConflict.of(found)
        return spec


def _files_key(spec: JobSpec) -> str:
    """Return the options that the facts of the data depend on, and those of files of the model."""
    data = spec.data.model_dump(mode="json", exclude={"batch_size", *spec.data.loading_options})
    files = {"name", "init_from", *spec.model.paths}
    return as_json([data, spec.model.model_dump(mode="json", include=files)])


def _with_paths_of(trial: Trial, spec: JobSpec, fixed: JobSpec) -> Trial:
    """Return the trial with the paths that were made absolute in its spec."""
    if fixed == spec:
        return trial
    before, after = (it.model_dump(mode="json") for it in (spec, fixed))
    values = {
        key: _at(after, key) if _at(before, key) != _at(after, key) else value
        for key, value in trial.values.items()
    }
    return dataclasses.replace(trial, values=values)


def _at(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def _place(sweep: Sweep, trial: Trial, fault: Fault) -> Path:
    """Return the place in the spec of the trial's value that is nearest to what is at fault."""
    if fault.path[:1] == ("sweep",):  # of its metric, which not every trial has
        return fault.path
    places = dict(_places(sweep, trial))
    if not places:
        return ("sweep", "seeds")
    nearest = max(places, key=lambda key: _common(key.split("."), fault.path))
    parts, place = nearest.split("."), ("sweep", *places[nearest])
    if _common(parts, fault.path) < len(parts):
        return place
    if fault.of_key and len(fault.path) == len(parts):
        return place[: place.index(nearest) + 1]
    return (*place, *fault.path[len(parts) :])


def _common(one: Sequence[str | int], other: Sequence[str | int]) -> int:
    """Return how many parts two paths have in common, from the first on."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _places(sweep: Sweep, trial: Trial) -> Iterator[tuple[str, Path]]:
    """Yield the keys of a trial's values, each with the place below `sweep` where it stands."""
    for key, path, entry in sweep.places():
        if path[0] == "configurations":
            if as_json(sweep.configurations[int(path[1])]) == as_json(trial.values):
                yield key, path
            continue
        if path[0] == "cases" and not space.is_of(sweep.cases[int(path[1])], trial):
            continue
        if isinstance(entry, Choice):
            yield key, (*path, "choice", space.number_of(entry.choice, trial.values[key]))
        elif isinstance(entry, list):
            yield key, (*path, space.number_of(entry, trial.values[key]))
        else:
            yield key, path
