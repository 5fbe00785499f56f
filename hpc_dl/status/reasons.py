"""Reasons that `hpcdl status` adds to a state: out of memory, no progress, idle GPUs, damage."""

from __future__ import annotations

import time

from hpc_dl.jobspec import units
from hpc_dl.planning.plan import Plan
from hpc_dl.run import records
from hpc_dl.run.journal_tail import JournalTail, open_tail
from hpc_dl.run.layout import DamagedFile, RunDir
from hpc_dl.scheduler.base import OUT_OF_MEMORY

STALL_SECONDS = 60.0
"""Without progress for longer than this, a run is shown as stalled."""
_MEMORY = "system/process_memory_usage_megabytes"


def out_of_memory(run: RunDir) -> str:
    """Say how much memory was asked for, how much was last in use, and what to try."""
    try:
        plan = records.load(run.plan, Plan)
        with open_tail(run.journal) as found:
            used = (found.newest("system") or {}).get("values", {}).get(_MEMORY)
    except DamagedFile:
        return OUT_OF_MEMORY
    asked = plan.sbatch.get("mem")
    parts = [f"{asked} a node asked for" if asked else "the partition's default asked for"]
    if isinstance(used, int | float):
        ranks = plan.tasks_per_node
        parts.append(
            f"{used / 1024:.1f}G in use by each of {ranks} ranks a node when last measured"
        )
    half = plan.micro_batch // 2
    smaller = f", or compute fewer examples at once: train.micro_batch={half}" if half else ""
    return f"out of memory: {', '.join(parts)}; ask for more in resources.mem{smaller}"


def stall(found: JournalTail, since: float) -> str:
    """Say for how long no rank has made progress; empty where that is not unusual.

    The newest heartbeat counts if it is younger than the newest state, from `since`.
    """
    beat = found.newest("heartbeat")
    if beat is None or beat["t"] < since:
        return ""
    seconds = time.time() - beat["t"] + min(beat["idle"])
    if seconds < STALL_SECONDS:
        return ""
    waiting_for = f" ({beat['behind']})" if beat.get("behind") else ""
    return f"no progress for {units.roughly(seconds)}{waiting_for}"


def idle_gpus(found: JournalTail, since: float) -> str:
    """Name the GPUs that idled when the usage was last journalled, and why; empty if none did.

    The newest usage counts if it is younger than the newest state, from `since`.
    """
    newest = found.newest("usage")
    return "" if newest is None or newest["t"] < since else str(newest.get("idle_gpus") or "")


def with_faults(reason: str, faults: list[str]) -> str:
    """Return the reason with the faults in its first line, the only one that tables show."""
    head, _, rest = reason.partition("\n")
    return "; ".join([*([head] if head else []), *faults]) + (f"\n{rest}" if rest else "")
