"""Notes on results that depend on the division of batches over ranks and micro-batches.

Nothing else does: losses are sums, divided by the count over all ranks. A pure function of the
spec, for the plan to say.
"""

from __future__ import annotations

import itertools

from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.model import UserModel
from hpc_dl.planning.compatibility import SpecConflict


def notes(
    spec: JobSpec, examples: int, world_size: int, rank_batch: int, micro_batch: int
) -> list[str]:
    """Return notes on how the losses differ from those of one rank with whole batches.

    `examples` are those to train on. Raises SpecConflict where batch norm is to be as on one rank,
    and cannot be, and where a rank would have a single example, which has no variance.
    """
    model, found = spec.model, []
    if model.needs_two:
        _check_single(spec, examples, world_size, micro_batch)
    its_own = isinstance(model, UserModel)
    if spec.train.sync_batch_norm:
        if micro_batch < rank_batch and (model.batch_norm or its_own):
            raise SpecConflict(
                "train.micro_batch",
                f"sync_batch_norm takes statistics over a whole batch, and a rank would compute "
                f"{micro_batch} of its {rank_batch} examples at a time",
                f"Leave micro_batch out, and take more ranks{_or_group_norm(spec)}.",
            )
        if not model.batch_norm and not its_own:
            found.append(f"train.sync_batch_norm changes nothing: {model.name} has no batch norm")
    if world_size == 1 and micro_batch >= rank_batch:
        return found
    if (model.batch_norm or its_own) and not spec.train.sync_batch_norm:
        who = f"of batch norm, if {model.name} has any," if its_own else "of batch norm"
        found.append(
            f"the statistics {who} are those of the {micro_batch} examples that a rank computes at "
            f"once, and the losses not those of one rank that computes all {spec.data.batch_size}; "
            f"{remedy(world_size, micro_batch < rank_batch)}{_or_group_norm(spec)}"
        )
    drawn = [model.draws, "data.augment" if spec.data.augment else ""]
    if what := " and ".join(filter(None, drawn)):
        found.append(
            f"each rank draws its own random numbers ({what}): the losses are those on one rank "
            "on average, not digit by digit"
        )
    return found


def _check_single(spec: JobSpec, examples: int, world_size: int, micro_batch: int) -> None:
    """Raise SpecConflict where a batch, or what is left of an epoch, leaves a rank one example."""
    batch = spec.data.batch_size
    ranks, micro = (1, batch) if spec.train.sync_batch_norm else (world_size, micro_batch)
    for size in {min(batch, examples), examples % batch}:
        ends = [-(-size * rank // ranks) for rank in range(ranks + 1)]
        rows = [end - start for start, end in itertools.pairwise(ends)]
        if any(it and (micro == 1 or it % micro == 1) for it in rows):
            raise SpecConflict(
                "data.batch_size",
                f"of {examples} training examples, a rank would compute one alone in some step: "
                "batch norm needs two",
                "Change it by one" + _or_group_norm(spec) + ".",
            )


def remedy(world_size: int, accumulates: bool) -> str:
    """Return what makes the statistics of batch norm those of the whole batch."""
    ways = ["leave out train.micro_batch"] if accumulates else []
    ways += ["train.sync_batch_norm=true takes them over all ranks"] if world_size > 1 else []
    return ", and ".join(ways)


def _or_group_norm(spec: JobSpec) -> str:
    has = "norm" in type(spec.model).model_fields
    return "; model.norm=group needs none" if has else ""
