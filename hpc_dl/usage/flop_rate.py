"""FLOP/s of a run and its model FLOPs utilisation (MFU): the metrics, and their medians."""

from __future__ import annotations

import statistics

from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir

RATE, MFU = "train/flops_per_second", "train/mfu_percentage"
"""Names of the metrics: of all ranks together, and the share in their peak."""


def medians(run: RunDir) -> dict[str, float]:
    """Return the medians over a run's reports of what is known. Raises DamagedFile."""
    found: dict[str, list[float]] = {RATE: [], MFU: []}
    for event in journal.view(run.journal):
        if event["event"] == "metrics":
            for name in found.keys() & event["values"].keys():
                found[name].append(event["values"][name])
    return {name: statistics.median(values) for name, values in found.items() if values}


def readable(flops: float) -> str:
    """Return FLOPs, or FLOP/s, with a prefix: `57.3 k`, `394 T`."""
    for power, prefix in ((12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if flops >= 10**power:
            return f"{flops / 10**power:.3g} {prefix}"
    return f"{flops:.3g} "
