"""Watch a sweep: a line for each trial that ends, until none is left."""

from __future__ import annotations

import time

from rich.console import Console
from rich.text import Text

from hpc_dl.cli.sweeps import status
from hpc_dl.errors import EXIT_FAILED
from hpc_dl.jobspec.load import load_resolved
from hpc_dl.scheduler import registry
from hpc_dl.sweep import folder, info, progress
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.trial import Unit

READ_SECONDS = 1.0


def watch(sweep: SweepDir, out: Console) -> int:
    """Print the results of a sweep as they come, and its table at the end; return the exit code.

    Ctrl-C ends the watching alone.
    """
    known = info.load(sweep)
    scheduler, spec = registry.get(known.backend), load_resolved(sweep.spec)
    shown: set[Unit] = set()
    try:
        while True:
            is_over = progress.is_complete(sweep, spec) or not scheduler.count_tasks(
                folder.arrays(sweep)
            )
            for unit, result in folder.read_results(sweep).items():
                if unit not in shown:
                    shown.add(unit)
                    value = "" if result.value is None else f"  {known.metric} {result.value:.5g}"
                    line = f"{sweep.run(unit.trial).id}: {result.state}{value}"
                    out.print(Text(line), soft_wrap=True)
            if is_over:
                break
            time.sleep(READ_SECONDS)
    except KeyboardInterrupt:
        out.print(
            Text(f"\n{sweep.id} continues to run.\n{status.next_commands(sweep)}"),
            soft_wrap=True,
        )
        raise
    status.show(sweep, out)
    states = {it.state for it in progress.read(sweep)}
    return EXIT_FAILED if states & {"failed", "lost", "promoted", "waiting", "cancelled"} else 0
