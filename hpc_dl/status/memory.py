"""What to tell of a job that Slurm has killed for the memory it took."""

from __future__ import annotations

from hpc_dl.planning.plan import Plan
from hpc_dl.run import records
from hpc_dl.run.journal_tail import ends
from hpc_dl.run.layout import DamagedFile, RunDir
from hpc_dl.scheduler.slurm import messages

_USED = "system/process_memory_usage_megabytes"


def exhausted(run: RunDir) -> str:
    """What was asked for, what was in use when last seen, and what to try."""
    try:
        plan = records.load(run.plan, Plan)
        with ends(run.journal) as found:
            seen = (found.newest("system") or {}).get("values", {}).get(_USED)
    except DamagedFile:
        return messages.OUT_OF_MEMORY
    asked = plan.sbatch.get("mem")
    parts = [f"{asked} a node asked for" if asked else "the partition's default asked for"]
    if isinstance(seen, int | float):
        ranks = plan.tasks_per_node
        parts.append(f"{seen / 1024:.1f}G in use by each of {ranks} ranks a node when last seen")
    half = plan.micro_batch // 2
    smaller = f", or compute fewer examples at once: train.micro_batch={half}" if half else ""
    return f"out of memory: {', '.join(parts)}; ask for more in resources.mem{smaller}"
