"""Test examples of the run that a network is of, as the network takes them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from hpc_dl.data import fingerprint, loading, sources
from hpc_dl.data.changes import describe_changes
from hpc_dl.data.dataset import Split
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.run import initial_weights, records
from hpc_dl.run.layout import RunDir
from hpc_dl.zoo.trained import Trained


@dataclass(frozen=True)
class _Planned:
    """Of a plan: the data that were planned for."""

    data_root: str
    facts: DataFacts


def batches(trained: Trained, run: RunDir, sizes: Sequence[int]) -> tuple[int, list[list[Tensor]]]:
    """Return how many test examples there are in batches of these sizes, and the inputs of each.

    The last ones are smaller, or missing, where there are not as many. Raises UserError, with the
    reason, where there are none, where the data are not those of the training any more, and for a
    network that takes none.
    """
    split = _load(run)
    chosen = torch.arange(min(sum(sizes), len(split)))
    ends = [sum(sizes[:n]) for n in range(1, len(sizes))]
    found = [split.batch(part) for part in chosen.tensor_split(ends) if len(part)]
    if not found:
        raise UserError("the data have no test examples")
    if not set(trained.inputs) & set(found[0]):
        raise UserError(f"the network takes none, but {' and '.join(trained.inputs)}")
    inputs = map(trained.architecture.inputs, found)
    return len(chosen), [
        [it[name].to(getattr(torch, of["dtype"])) for name, of in trained.inputs.items()]
        for it in inputs
    ]


def _load(run: RunDir) -> Split:
    """Load the test split, of no more examples than are looked at where the source streams."""
    spec, plan = records.load_spec(run), records.load(run.plan, _Planned)
    source = sources.build(spec.data, Path(plan.data_root), run.code)
    with warnings.catch_warnings(action="ignore"):
        try:
            splits = loading.load(source, 0 if spec.data.can_stream else None, check=False)
        except (Exception, SystemExit) as error:  # a user's own source raises anything
            raise UserError(str(error).partition("\n")[0] or type(error).__name__) from error
    now = replace(splits.facts, contents=plan.facts.contents)
    if now != plan.facts:
        raise UserError(f"the data have changed: {describe_changes(plan.facts, now)}")
    taken = fingerprint.take(source, spec.model, splits.facts, initial_weights.find(run))
    fingerprint.check(run, taken, splits.facts)
    return splits.test
