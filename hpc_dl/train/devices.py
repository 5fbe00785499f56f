"""Choose the device of each rank.

A rank may see one GPU (`--gpus-per-task=1`, `--gpu-bind=single:1`, an instance of MIG), all of its
node, or those of its socket (`--gpu-bind=closest`), in any order. So the ranks exchange
the UUIDs of those they see, and each takes another, before NCCL connects them: it would hang, or
fail with an unclear message.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from hpc_dl.errors import EXIT_CLUSTER, UserError
from hpc_dl.run.rank_info import RankInfo

ONE_EACH = (
    "Every rank needs a GPU of its own. Ask sbatch for as many a node as there are ranks "
    "(resources.gpus_per_node is its --gpus-per-node), and let a rank see either its own alone "
    "(slurm: {gpus-per-task: 1} or {gpu-bind: 'single:1'}) or all of its node ({gpu-bind: none}). "
    "Instances of MIG count only once a GPU: NCCL does not join several of one."
)
"""Hint about two ranks with the same GPU."""


class VisibleGPUs(NamedTuple):
    """The GPUs that one rank sees."""

    host: str
    gpus: list[str]
    """Their UUIDs, in CUDA's order."""


def find(gpus_per_node: int, rank_info: RankInfo, store: TCPStore | None) -> torch.device:
    """Return this rank's device; the ranks call this together, and have met at `store`."""
    use_cpu = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
    if not gpus_per_node or use_cpu:
        return torch.device("cpu")
    ours = VisibleGPUs(socket.gethostname(), _visible_uuids(gpus_per_node))
    ranks = exchange(store, rank_info, ours) if store else [ours]
    device = torch.device("cuda", assign(ranks)[rank_info.rank if store else 0])
    torch.cuda.set_device(device)
    return device


def _visible_uuids(gpus_per_node: int) -> list[str]:
    """Return the UUIDs of the GPUs that this process may use. Raises UserError without any."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count:
        return [str(torch.cuda.get_device_properties(i).uuid) for i in range(count)]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    hidden = "" if visible is None else f" (CUDA_VISIBLE_DEVICES is {visible!r})"
    raise UserError(
        f"the job has {gpus_per_node} GPUs a node, but torch {torch.__version__} sees "
        f"none on {socket.gethostname()}{hidden}",
        hint="Install the CUDA build of torch, load the driver's module in the site's `setup`, "
        "or train on CPUs with resources.gpus_per_node=0.",
    )


def exchange(store: TCPStore, rank_info: RankInfo, ours: VisibleGPUs) -> list[VisibleGPUs]:
    """Exchange the visible GPUs, and return those of every rank."""
    store.set(f"gpus/{rank_info.rank}", json.dumps(ours))
    return [
        VisibleGPUs(*json.loads(store.get(f"gpus/{rank}"))) for rank in range(rank_info.world_size)
    ]


def assign(ranks: Sequence[VisibleGPUs]) -> list[int]:
    """Return for every rank the index of its GPU among those that it sees.

    Each takes the first that is free, or else one whose owner can take another (a bipartite
    matching). Raises UserError if there are not enough.
    """
    owner: dict[str, int] = {}

    def settle(rank: int, tried: set[str]) -> bool:
        for gpu in sorted(ranks[rank].gpus, key=owner.__contains__):  # first those that are free
            if gpu not in tried:
                tried.add(gpu)
                if gpu not in owner or settle(owner[gpu], tried):
                    owner[gpu] = rank
                    return True
        return False

    for rank, visible in enumerate(ranks):
        if not settle(rank, set()):
            raise _too_few(visible.host, ranks)
    own = {rank: gpu for gpu, rank in owner.items()}
    return [visible.gpus.index(own[rank]) for rank, visible in enumerate(ranks)]


def _too_few(host: str, ranks: Sequence[VisibleGPUs]) -> UserError:
    here = [str(rank) for rank, visible in enumerate(ranks) if visible.host == host]
    gpus = dict.fromkeys(gpu for visible in ranks if visible.host == host for gpu in visible.gpus)
    return UserError(
        f"two ranks would share a GPU: ranks {', '.join(here)} on {host} together see "
        f"{len(gpus)} ({', '.join(gpus)})",
        hint=ONE_EACH,
        exit_code=EXIT_CLUSTER,
    )
