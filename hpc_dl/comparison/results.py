"""The result of a run, with all options that it may depend on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from hpc_dl.data.fingerprint import Fingerprint
from hpc_dl.jobspec.flat import flatten
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.run import journal, records
from hpc_dl.run.layout import RunDir
from hpc_dl.submission import snapshot

SEEDS = ("train.seed", "data.split_seed", "data.fold")
"""Options of which several values are repetitions of one experiment."""
_NOT_FINITE = ("nan", "inf", "-inf")
"""As the journal has them."""
_RANKS = ("nodes", "gpus_per_node", "tasks_per_node")


@dataclass(frozen=True)
class RunResult:
    """A run as its folder has it."""

    run: RunDir
    options: dict[str, Any]
    """Options that the result may depend on, by flat name; without seeds, and those not set."""
    seeds: dict[str, int]
    state: str
    """The newest journalled one."""
    test: dict[str, float]
    """Metrics on the test split; empty where there is no test yet."""
    data: Fingerprint | None


def read(run: RunDir) -> RunResult:
    """Read a run's spec and result. Raises UserError for damaged files."""
    options = _options(records.load_spec(run))
    if files := snapshot.digests(run.code):
        text = json.dumps(files, sort_keys=True)
        options["code"] = hashlib.sha256(text.encode()).hexdigest()[:8]
    seeds = {name: options.pop(name) for name in SEEDS if name in options}
    state, values = "planned", dict[str, Any]()
    for event, _, _ in journal.read(run.journal, kinds=("state", "summary")):
        if event["event"] == "state":
            state = event["state"]
        else:
            values = event.get("values") or {}
    if state != "completed":
        values = {}
    test = {
        name.removeprefix("test/"): float(value)
        for name, value in values.items()
        if value in _NOT_FINITE or isinstance(value, int | float)
    }
    return RunResult(run, options, seeds, state, test, records.find(run.fingerprint, Fingerprint))


def _options(spec: JobSpec) -> dict[str, Any]:
    """Return what the weights depend on, and how many ranks there are."""
    ranks = spec.resources.model_dump(mode="json", include=set(_RANKS))
    found = flatten({**spec.training(), "resources": ranks})
    return {name: value for name, value in found if value is not None}
