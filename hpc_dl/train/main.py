"""What every rank runs: joins the others and trains."""

from __future__ import annotations

import gc
from collections.abc import Callable

from hpc_dl.jobspec import units
from hpc_dl.jobspec.load import load_resolved
from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal as log
from hpc_dl.run import records
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.train import setup_errors
from hpc_dl.train.deterministic import use_deterministic_algorithms
from hpc_dl.train.signals import Signals
from hpc_dl.train.trainer import Training
from hpc_dl.train.world import join

HANG_MARGIN = 120.0
"""Seconds more than the hang's timeout that a collective waits: the pulse is to speak first."""


def run(
    run: RunDir,
    rank_info: RankInfo,
    on_end: Callable[[Exception], None],
    check_lease: Callable[..., None] | None = None,
) -> str:
    """Train a run to its end, from its newest checkpoint on.

    Returns the outcome: `completed`; `requeue` (the time limit is near: go on in another job);
    `cancelled` or `stopped`, each journalled. What goes wrong is raised, for the job to journal:
    which rank failed first, and of what, is known only there. `on_end` is called in another thread
    while the training's own is stuck, with NoProgress on rank 0 or with PeerGone; it has to end the
    process. Before rank 0 writes, `check_lease` ends it if the run has been taken over.
    """
    if log.last_state(run.journal)[0] == "completed":
        return "completed"
    signals = Signals()
    signals.install()
    journal = Journal(run.journal, check_lease) if rank_info.rank == 0 else None
    try:
        spec, plan = load_resolved(run.spec), records.load(run.plan, Plan)
        use_deterministic_algorithms(spec.train.deterministic)
        patience = units.seconds(spec.train.hang_timeout) + HANG_MARGIN
        with setup_errors.explained(), join(run, plan, rank_info, patience, on_end) as world:
            outcome = Training(run, spec, plan, rank_info, world, journal, signals, on_end).train()
            # DDP holds the process group, whose threads must not outlive the interpreter.
            gc.collect()
            return outcome
    finally:
        if journal is not None:
            journal.close()
