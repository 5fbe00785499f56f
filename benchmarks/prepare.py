"""Prepare the problem of a run of hpcdl: its examples, their order, and its initial weights."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from benchmarks.problem import EPOCHS, Problem
from hpc_dl.data import loading, sources
from hpc_dl.data.dataset import Split
from hpc_dl.data.sampler import mix_seed
from hpc_dl.data.streamed import StreamedSplit
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.plan import Plan
from hpc_dl.train.build import build_engine
from hpc_dl.train.world import World

CPU = torch.device("cpu")
IGNORED = -100
"""What torch's cross-entropy takes for no token."""


def prepare(workload: str, spec: JobSpec, plan: Plan) -> Problem:
    """Return what a run of hpcdl trains, for those who train it otherwise."""
    source = sources.build(spec.data, Path(plan.data_root), Path())
    splits = loading.load(source, plan.workers, check=False)
    engine = build_engine(spec, plan, splits, World(0, 1, CPU), Path(), lambda _: 0.0)
    return Problem(
        workload,
        plan.global_batch,
        spec.train.model_dump(),
        _examples(splits.train),
        [str(it) for it in splits.train.keys] if isinstance(splits.train, StreamedSplit) else [],
        splits.facts.outputs,
        len(splits.train),
        [mix_seed(spec.train.seed, epoch) for epoch in range(EPOCHS)],
        {
            name: [it.detach() for it in player.parameters]
            for name, player in engine.players.items()
        },
    )


def _examples(split: Split) -> dict[str, Tensor]:
    """Return the examples as they are held; of texts and graphs as a batch of all."""
    if "image" in split.tensors or isinstance(split, StreamedSplit):
        return split.tensors
    found = dict(split.batch(torch.arange(len(split))))
    if "next" in found:
        past = torch.arange(found["next"].shape[1]) >= found["text_length"][:, None]
        found["next"] = found["next"].masked_fill(past, IGNORED)
    return found
