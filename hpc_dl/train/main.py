"""Entry point of every rank: join the process group and train."""

from __future__ import annotations

import gc
from collections.abc import Callable

import torch

from hpc_dl.jobspec import units
from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal as log
from hpc_dl.run import records
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.train import setup_errors
from hpc_dl.train.control import Signals
from hpc_dl.train.reproducibility import use_deterministic_algorithms, use_tf32
from hpc_dl.train.trainer import Trainer
from hpc_dl.train.world import join

HANG_MARGIN = 120.0
"""Seconds that a collective waits beyond the hang timeout, so that the heartbeat ends it first."""


def run(
    run: RunDir,
    rank_info: RankInfo,
    on_end: Callable[[Exception], None],
    check_lease: Callable[..., None] | None = None,
) -> str:
    """Train a run to its end, from its newest checkpoint on.

    Returns the outcome: `completed`; `requeue` (the time limit is near: continue in another job);
    `paused`, `cancelled` or `stopped`, each journalled. Errors are raised, for the worker to
    journal: only it knows which rank failed first. `on_end` is called in another thread while the
    training's own is stuck, with NoProgress on rank 0 or with PeerGone, and must end the process.
    Before rank 0 writes, `check_lease` ends it if the run has been taken over.
    """
    if log.last_state(run.journal)[0] == "completed":
        return "completed"
    signals = Signals()
    signals.install()
    journal = Journal(run.journal, check_lease) if rank_info.rank == 0 else None
    try:
        spec, plan = records.load_spec(run), records.load(run.plan, Plan)
        use_deterministic_algorithms(spec.train.deterministic)
        use_tf32(spec.train.tf32 if plan.gpus_per_node else None)
        # Gradients that vanish, as along 200 steps of an LSTM, cost a processor 14 times as much
        # before they are 0. Threads that torch starts later do the same.
        torch.set_flush_denormal(True)
        timeout = units.seconds(spec.train.hang_timeout) + HANG_MARGIN
        with setup_errors.explained(), join(run, plan, rank_info, timeout, on_end) as world:
            outcome = Trainer(run, spec, plan, rank_info, world, journal, signals, on_end).train()
            # DDP holds the process group, whose threads must not outlive the interpreter.
            gc.collect()
            return outcome
    finally:
        if journal is not None:
            journal.close()
