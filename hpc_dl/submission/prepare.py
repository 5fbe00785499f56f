"""Filling of a run folder before its job is submitted: the spec, the plan, the code."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from hpc_dl.data import fingerprint, sources
from hpc_dl.data.fingerprint import Fingerprint
from hpc_dl.errors import UserError
from hpc_dl.jobspec import spec_file
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.sources.user import UserData
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.planning.plan import Plan
from hpc_dl.run import lease, origin
from hpc_dl.run.initial_weights import InitialWeights
from hpc_dl.run.layout import RunDir, make_folder, mode_of, open_as, write_atomic, write_json
from hpc_dl.submission import provenance, snapshot
from hpc_dl.submission.reopen import keep_secrets, note_planned
from hpc_dl.submission.snapshot import Snapshot
from hpc_dl.tracking import store_uri, webhook


def prepare(
    run: RunDir,
    spec: JobSpec,
    plan: Plan,
    base: Path,
    code: Snapshot | None = None,
    data: Fingerprint | None = None,
    initial: InitialWeights | None = None,
    overrides: Sequence[str] = (),
) -> None:
    """Fill a new run folder; `base` is where the spec's own files are looked for.

    The code that will run is `code`, the data are `data`, or what is there now; `initial` are the
    weights that `model.init_from` names, and `overrides` what was typed beside the job file. Raises
    UserError where a file that the spec names is missing, or cannot be imported.
    """
    if code is None:
        facts = None if isinstance(spec.data, UserData) else plan.facts
        code = snapshot.take(spec, base, Path(plan.data_root), facts)
    code.copy_to(run.code)
    open_as(run, run.code)
    if initial:
        initial.copy_to(run)
    for folder in (run.logs, run.checkpoints, run.artifacts):
        if not folder.exists():
            make_folder(folder, mode_of(run))
    if data is None:
        source = sources.build(spec.data, Path(plan.data_root), base)
        data = fingerprint.take(source, spec.model, plan.facts, initial)
    write_json(run.fingerprint, dataclasses.asdict(data))
    provenance.record(run, base, data.digest, overrides)
    replan(run, *_with_absolute_store(code.renamed(spec), plan))
    note_planned(run)


def _with_absolute_store(spec: JobSpec, plan: Plan) -> tuple[JobSpec, Plan]:
    """Make the path of a SQLite store absolute: the next submission may be from another folder."""
    uri, here = spec.tracking.uri, Path.cwd()
    if uri is not None:
        tracking = spec.tracking.model_copy(update={"uri": store_uri.absolute(uri, here)})
        spec = spec.model_copy(update={"tracking": tracking})
    uri = store_uri.absolute(plan.tracking_uri, here)
    return spec, dataclasses.replace(plan, tracking_uri=uri)


def check_files(spec: JobSpec, facts: DataFacts) -> None:
    """Raise SpecConflict where a file does not go with the data, or holds no URL of a webhook."""
    if spec.notify.webhook:
        try:
            webhook.url_in(spec.notify.webhook)
        except UserError as error:
            what = error.message.removeprefix("notify.webhook: ")
            raise SpecConflict("notify.webhook", what, error.hint) from None
    if found := spec.model.find_file_conflict(facts):
        raise SpecConflict(f"model.{found.option}", found.message, found.hint)


def replan(run: RunDir, spec: JobSpec, plan: Plan) -> None:
    """Write the spec and the plan of a run whose code stays as it is."""
    if origin.original(run):
        lease.forget(run)
    store_uri.save(run, plan.tracking_uri)
    keep_secrets(run, plan)
    write_json(run.plan, plan.without_password().to_json())
    write_atomic(run.spec, spec_file.dump(spec.without_password()))
