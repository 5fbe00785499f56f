"""From a command line to a plan: the spec, the site and the machine, brought together."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpc_dl.data import fingerprint, sources
from hpc_dl.data.fingerprint import Fingerprint
from hpc_dl.jobspec import load as specs
from hpc_dl.jobspec.data import Data, DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.model import Model
from hpc_dl.jobspec.sources.user import OwnData
from hpc_dl.planning import site as sites
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.planning.plan import Machine, Plan
from hpc_dl.planning.site import Site
from hpc_dl.scheduler.base import Scheduler
from hpc_dl.scheduler.plan_job import plan_job
from hpc_dl.submission import snapshot
from hpc_dl.submission.prepare import check_files
from hpc_dl.submission.snapshot import Snapshot

_GPU = re.compile(r"\d+$|GPU-|MIG-")
"""How CUDA_VISIBLE_DEVICES names one; `NoDevFiles`, as Slurm has it, is none."""


@dataclass(frozen=True)
class Request:
    """A job as it was asked for, by a file and by words `key=value` that override it."""

    file: Path
    words: tuple[str, ...]
    spec: JobSpec
    site: Site
    base: Path
    """Where the spec's own files are looked for."""
    run_root: Path
    data_root: Path
    facts: DataFacts
    fingerprint: Fingerprint
    """Of the data, and of other files that the training begins from, as they are now."""
    code: Snapshot
    """The spec's own files, as they are now."""
    environment: Mapping[str, str]

    def resolved(self, scheduler: Scheduler) -> JobSpec:
        """Return the spec with what the scheduler's variables add to it."""
        asked = scheduler.resolve(self.spec.resources, self.site, self.environment)
        return self.spec.model_copy(update={"resources": asked.resources})

    def plan(self, run_dir: Path, scheduler: Scheduler) -> Plan:
        """Return the plan of this job in `run_dir`.

        Raises SpecError, pointing into the file, where the spec asks for what cannot be.
        """
        with _pointing_into(self.file, self.words):
            plan = plan_job(
                scheduler,
                self.spec,
                self.site,
                self.facts,
                run_dir=run_dir,
                run_root=self.run_root,
                data_root=self.data_root,
                machine=this_machine() if scheduler.on_this_machine else None,
                environment=self.environment,
            )
        notes = [*plan.notes, *self.code.notes]
        return dataclasses.replace(plan, notes=notes, fingerprint=self.fingerprint.digest)


@contextlib.contextmanager
def _pointing_into(file: Path, words: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except SpecConflict as error:
        raise specs.locate(file, words, error.faults) from None


def read(
    file: Path, words: Sequence[str], site_name: str | None, copied: Path | None = None
) -> Request:
    """Read the spec in `file`, the site, and what is known of the data.

    The spec's own files are looked for beside it, and copied; `copied` is where a run has copies
    of them. Raises UserError.
    """
    base = (copied or file.parent).absolute()
    load = specs.load if copied is None else specs.load_resolved
    spec = _with_absolute_paths(load(file, words), words, base)
    site = sites.load(site_name, os.environ)
    data_root = sites.expand(site.data_root, os.environ)
    asked = copied is not None or not isinstance(spec.data, OwnData)
    source = sources.build(spec.data, data_root, base)
    facts, code = source.describe() if asked else None, Snapshot()
    if copied is None:
        with _pointing_into(file, words):
            code = snapshot.take(spec, base, data_root, facts)
    known = facts or code.facts
    assert known is not None
    with _pointing_into(file, words):
        check_files(spec, known)
    return Request(
        file=file,
        words=tuple(words),
        spec=spec,
        site=site,
        base=base,
        run_root=sites.expand(site.run_root, os.environ),
        data_root=data_root,
        facts=known,
        fingerprint=fingerprint.take(source, spec.model, known),
        code=code,
        environment=dict(os.environ),
    )


def _with_absolute_paths(spec: JobSpec, words: Sequence[str], base: Path) -> JobSpec:
    """`data.root` and its like made independent of the folder that a command is typed in.

    In a file they are relative to that file, on the command line to where that is typed.
    """
    sections: dict[str, Any] = {}
    parts: dict[str, Data | Model] = {"data": spec.data, "model": spec.model}
    for section, options in parts.items():
        update = {}
        for key, path in options.model_dump(include=set(options.paths)).items():
            typed = any(word.startswith(f"{section}.{key}=") for word in words)
            if path is not None:
                update[key] = str((Path.cwd() if typed else base) / Path(path).expanduser())
        sections[section] = options.model_copy(update=update)
    if any(word.startswith("code=") for word in words):
        sections["code"] = [str(Path.cwd() / Path(path).expanduser()) for path in spec.code]
    return spec.model_copy(update=sections)


def this_machine() -> Machine:
    """Return what a job on this machine has."""
    return Machine(cpus=_cpus(), gpus=_gpus(), memory=_memory())


def _cpus() -> int:
    """The cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> int:
    import psutil

    return int(psutil.virtual_memory().total)


def _gpus() -> int:
    """The GPUs that a program sees here, without asking torch, which takes seconds."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        names = [name.strip() for name in visible.split(",")]
        return len(list(itertools.takewhile(_GPU.match, names)))  # CUDA ignores what follows
    return sum(bool(re.fullmatch(r"nvidia\d+", path.name)) for path in Path("/dev").glob("nvidia*"))
