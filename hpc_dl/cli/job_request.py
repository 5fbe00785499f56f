"""From a command line to a plan: job spec, overrides, site and machine."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpc_dl.data import fingerprint, sources
from hpc_dl.data.faults import resolve_home
from hpc_dl.data.fingerprint import Fingerprint
from hpc_dl.data.source import Fitted, Source
from hpc_dl.jobspec import load as specs
from hpc_dl.jobspec.data import Data
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.model import Model
from hpc_dl.jobspec.sources.user import UserData
from hpc_dl.planning import compatibility, warm_start, wrapper
from hpc_dl.planning import site as sites
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.planning.plan import Machine, Plan
from hpc_dl.planning.site import Site
from hpc_dl.run import initial_weights
from hpc_dl.run.initial_weights import InitialWeights
from hpc_dl.run.layout import RunDir
from hpc_dl.scheduler.base import Scheduler
from hpc_dl.scheduler.plan_job import plan_job
from hpc_dl.status import unfinished
from hpc_dl.submission import snapshot
from hpc_dl.submission.prepare import check_files
from hpc_dl.submission.snapshot import Snapshot

_GPU = re.compile(r"\d+$|GPU-|MIG-")
"""How CUDA_VISIBLE_DEVICES names a GPU; Slurm's `NoDevFiles` is none."""

_NO_SWEEP = "the spec has a sweep: `hpcdl submit JOB.yaml --sweep` trains all of its trials"


@dataclass(frozen=True)
class JobRequest:
    """A job as it was asked for: a job spec, overrides `key=value`, and what belongs to them."""

    file: Path
    overrides: tuple[str, ...]
    spec: JobSpec
    site: Site
    base: Path
    """The folder of the user's own files."""
    run_root: Path
    data_root: Path
    facts: DataFacts
    fingerprint: Fingerprint
    """Digests of the data, and of other files that the training begins from, as they are now."""
    code: Snapshot
    """The user's own files, as they are now."""
    initial: InitialWeights | None
    """The weights that `model.init_from` names."""
    environment: Mapping[str, str]
    is_new: bool
    """False for a run that goes on."""

    def resolved(self, scheduler: Scheduler) -> JobSpec:
        """Return the spec with what the scheduler's variables add to it."""
        asked = scheduler.resolve(self.spec.resources, self.site, self.environment)
        return self.spec.model_copy(update={"resources": asked.resources})

    def plan(self, run_dir: Path, scheduler: Scheduler) -> Plan:
        """Return the plan of this job in `run_dir`.

        Raises SpecError, with the position in the file, where options do not fit together.
        """
        with errors_with_position(self.file, self.overrides):
            return self.try_plan(run_dir, scheduler)

    def try_plan(self, run_dir: Path, scheduler: Scheduler) -> Plan:
        """Return the plan of this job in `run_dir`. Raises SpecConflict, without a position."""
        spec, waits = self._after_others(scheduler)
        if not scheduler.on_this_machine:
            wrapper.check_is_there(self.site.wrapper, self.site.setup)
        plan = plan_job(
            scheduler,
            spec,
            self.site,
            self.facts,
            run_dir=run_dir,
            run_root=self.run_root,
            data_root=self.data_root,
            machine=this_machine() if scheduler.on_this_machine else None,
            environment=self.environment,
        )
        if self.is_new:
            compatibility.check_new(spec, self.facts)
        left_out = [_NO_SWEEP] if self.is_new and self.spec.sweep else []
        notes = [*waits, *left_out, *plan.notes, *self.code.notes]
        if self.initial:
            notes += warm_start.notes(self.initial.source.facts, self.facts)
        return dataclasses.replace(plan, notes=notes, fingerprint=self.fingerprint.digest)

    def _after_others(self, scheduler: Scheduler) -> tuple[JobSpec, list[str]]:
        """Return the spec with the jobs that it waits for, and notes that name them."""
        spec = self.spec
        waits = unfinished(self.run_root, spec.after, scheduler.name) if spec.after else []
        if not waits:
            return spec, []
        jobs = [it.job_id for it in waits if it.job_id]
        resources = scheduler.start_after(spec.resources, jobs)
        notes = [f"starts once {it.id} (job {it.job_id}) is complete" for it in waits]
        if not self.site.requeue:
            notes.append(
                "jobs are not requeued here: where a run that is waited for goes on in another "
                "job, this one is cancelled, and has to be submitted again"
            )
        return spec.model_copy(update={"resources": resources}), notes

    def with_spec(self, spec: JobSpec) -> JobRequest:
        """Return the job with another spec, and what is known of the data and weights of that.

        The user's own files are those of this job. Raises SpecConflict and other UserErrors.
        """
        source = _source(spec, self.site, self.base)
        if isinstance(spec.data, UserData):
            facts = snapshot.take(spec, self.base, self.data_root, None).facts
            assert facts is not None
        else:
            facts = source.describe()
        check_files(spec, facts)
        initial = _initial(spec, self.site, facts, None)
        return dataclasses.replace(self, spec=spec, facts=facts, initial=initial)


@contextlib.contextmanager
def errors_with_position(file: Path, overrides: Sequence[str]) -> Iterator[None]:
    """Show a SpecConflict that is raised meanwhile at its place in the spec."""
    try:
        yield
    except SpecConflict as error:
        raise specs.locate(file, overrides, error.faults) from None


def read(
    file: Path,
    overrides: Sequence[str],
    site_name: str | None,
    copied: Path | None = None,
    begun: RunDir | None = None,
    *,
    is_resolved: bool = True,
) -> JobRequest:
    """Read the spec in `file`, the site, and what is known of the data.

    The user's own files lie beside it, and are copied; `copied` is the folder of a run's copies,
    whose spec `is_resolved`, by an earlier version maybe. Of a run that has `begun`, the initial
    weights are its own. Raises UserError.
    """
    base = (copied or file.parent).absolute()
    spec = _load(file, overrides, copied, is_resolved=is_resolved)
    site = sites.load(site_name, os.environ)
    source = _source(spec, site, base)
    asked = copied is not None or not isinstance(spec.data, UserData)
    facts, code = source.describe() if asked else None, Snapshot()
    if copied is None:
        with errors_with_position(file, overrides):
            code = snapshot.take(spec, base, source.data_root, facts)
            spec = code.completed(spec)
    known = facts or code.facts
    assert known is not None
    with errors_with_position(file, overrides):
        check_files(spec, known)
        initial = _initial(spec, site, known, begun)
    return JobRequest(
        file=file,
        overrides=tuple(overrides),
        spec=spec,
        site=site,
        base=base,
        run_root=sites.expand(site.run_root, os.environ),
        data_root=source.data_root,
        facts=known,
        fingerprint=fingerprint.take(source, spec.model, known, initial),
        code=code,
        initial=initial,
        environment=dict(os.environ),
        is_new=copied is None,
    )


def _initial(
    spec: JobSpec, site: Site, facts: DataFacts, begun: RunDir | None
) -> InitialWeights | None:
    """Return the weights to begin with, if any. Raises SpecConflict where they do not fit."""
    if (asked := spec.model.init_from) is None:
        return None
    if begun and (known := initial_weights.find(begun)):
        return known
    from hpc_dl.cli.initial_weights import locate

    found = locate(asked, site)
    warm_start.check(asked, found.source.facts, found.shapes(), facts)
    return found


def read_source(
    file: Path,
    overrides: Sequence[str],
    site_name: str | None,
    copied: Path | None = None,
    fitted: Fitted | None = None,
) -> tuple[JobSpec, Source[Any]]:
    """Read the spec in `file`, and return it with the source of its data, for which something may
    be `fitted` already; `copied` is the folder of a run's copies. Raises UserError."""
    base = (copied or file.parent).absolute()
    spec = _load(file, overrides, copied)
    return spec, _source(spec, sites.load(site_name, os.environ), base, fitted)


def _load(
    file: Path, overrides: Sequence[str], copied: Path | None, *, is_resolved: bool = True
) -> JobSpec:
    load = specs.load_resolved if copied is not None and is_resolved else specs.load
    base = (copied or file.parent).absolute()
    with errors_with_position(file, overrides):
        return with_absolute_paths(load(file, overrides), overrides, base)


def _source(spec: JobSpec, site: Site, base: Path, fitted: Fitted | None = None) -> Source[Any]:
    return sources.build(spec.data, sites.expand(site.data_root, os.environ), base, fitted)


def with_absolute_paths(spec: JobSpec, overrides: Sequence[str], base: Path) -> JobSpec:
    """Make `data.root` and other paths absolute, and the files of a user's code relative to `base`.

    In a file they are relative to that file, on the command line to the current folder. Raises
    SpecConflict for code that lies beside the file alone.
    """
    given = [word.partition("=")[0] for word in overrides]
    sections: dict[str, Any] = {}
    parts: dict[str, Data | Model] = {"data": spec.data, "model": spec.model}
    for section, options in parts.items():
        update = {}
        for key, path in options.model_dump(include=set(options.paths)).items():
            name = f"{section}.{key}"
            if path is not None:
                update[key] = str(
                    (Path.cwd() if _is_typed(name, given) else base) / resolve_home(name, path)
                )
        sections[section] = options.model_copy(update=update)
    sections["model"] = _with_absolute_source(sections["model"], given, base)
    if "code" in given:
        sections["code"] = [str(Path.cwd() / resolve_home("code", path)) for path in spec.code]
    changed = spec.model_copy(update=sections)
    return changed.with_changes(
        {
            part: {"name": _place_of_code(f"{part}.name", name, base)}
            for part, name in spec.user_parts().items()
            if _is_typed(f"{part}.name", given)
        }
    )


def _is_typed(key: str, given: Sequence[str]) -> bool:
    """Return whether an override gives `key`, itself or with all of its section."""
    return any(f"{key}.".startswith(f"{it}.") for it in given)


def _place_of_code(key: str, name: str, base: Path) -> str:
    """Return FILE.py:NAME, as typed in the current folder, relative to `base`; a module of a
    package as it is. Raises SpecConflict for a file that lies in `base` alone."""
    file, _, inside = name.rpartition(":")
    if not file.endswith(".py"):
        return name
    path = Path.cwd() / resolve_home(key, file)
    if not path.is_file() and (beside := base / file).is_file():
        raise SpecConflict(
            key,
            f"there is no {file} in the current folder",
            f"Beside the job file there is one: {key}={os.path.relpath(beside)}:{inside}",
        )
    return f"{os.path.relpath(path, base)}:{inside}"


def _with_absolute_source(model: Model, given: Sequence[str], base: Path) -> Model:
    """Make `init_from` absolute, where it is a path."""
    key, asked = "model.init_from", model.init_from
    if asked is None or not asked.is_path:
        return model
    typed = _is_typed(f"{key}.from", given)
    path = (Path.cwd() if typed else base) / resolve_home(key, asked.source)
    source = asked.model_copy(update={"from": str(path)})
    return model.model_copy(update={"init_from": source})


def this_machine() -> Machine:
    """Return what a job on this machine has."""
    return Machine(cpus=_cpus(), gpus=_gpus(), memory=_memory())


def _cpus() -> int:
    """Count the cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def _memory() -> int:
    import psutil

    return int(psutil.virtual_memory().total)


def _gpus() -> int:
    """Count the GPUs that a program sees here, without torch, whose import takes seconds."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        names = [name.strip() for name in visible.split(",")]
        return len(list(itertools.takewhile(_GPU.match, names)))  # CUDA ignores what follows
    return sum(bool(re.fullmatch(r"nvidia\d+", path.name)) for path in Path("/dev").glob("nvidia*"))
