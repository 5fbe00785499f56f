"""The checks by name, what came of each, and how that is shown."""

import json
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.gpu import checkpoints, engines, failures, machine, several, whole_runs

Check = Callable[[Path], str]
"""Is given an empty folder; returns what it has seen, or raises."""

CHECKS: dict[str, Check] = {
    **{
        f"every architecture in {precision}": partial(engines.check_architectures, precision)
        for precision in ("fp32", "bf16", "fp16")
    },
    **{
        f"CUDA graphs of every architecture in {precision}": partial(
            engines.check_replayed, precision
        )
        for precision in ("fp32", "bf16", "fp16")
    },
    "the losses of the CPU": engines.check_agreement_with_the_cpu,
    "moved between the CPU and a GPU": engines.check_moved,
    "no step waits for the device": engines.check_no_waiting,
    "checkpoints beside the steps": checkpoints.check_copies,
    **{
        f"kill and resume: {name}": partial(whole_runs.check_resume, name)
        for name in whole_runs.KILLED
    },
    "DDP: the losses of one GPU": several.check_losses,
    "DDP: gradient penalty": several.check_gradient_penalty,
    "metrics over the ranks": several.check_metrics,
    "one visible GPU for each rank": whole_runs.check_one_visible_gpu_each,
    "FSDP on two, resumed on one": whole_runs.check_fsdp,
    **{f"failure: {name}": partial(failures.check_failure, name) for name in failures.FAILURES},
    "streaming": whole_runs.check_streaming,
    "the export on the CPU": whole_runs.check_export,
    "step times": engines.check_step_times,
    **{
        f"model FLOPs utilisation: {name}": partial(whole_runs.check_mfu, name)
        for name in whole_runs.MEASURED
    },
}


@dataclass(frozen=True)
class Outcome:
    """What came of a check."""

    name: str
    result: str
    """`passed`, `failed` or `skipped`."""
    seconds: float
    detail: str


def run(names: list[str]) -> Iterator[Outcome]:
    """Run the checks, one after the other."""
    for name in names:
        folder = Path(tempfile.mkdtemp(prefix="hpcdl-check-"))
        began = time.perf_counter()
        result, detail = _tried(CHECKS[name], folder)
        yield Outcome(name, result, round(time.perf_counter() - began, 1), detail)
        shutil.rmtree(folder, ignore_errors=True)


def _tried(check: Check, folder: Path) -> tuple[str, str]:
    try:
        return "passed", check(folder)
    except machine.Skipped as reason:
        return "skipped", str(reason)
    except Exception as error:
        return "failed", "".join(traceback.format_exception(error))


def show(outcomes: list[Outcome], console: Console) -> None:
    """Print a table of the outcomes, and the tracebacks of what failed under it."""
    table = Table("check", "result", "s", "what was seen", box=None)
    for it in outcomes:
        last = it.detail.strip().splitlines()[-1] if it.detail.strip() else ""
        table.add_row(it.name, it.result, f"{it.seconds:.0f}", last)
    for it in outcomes:
        if it.result == "failed":
            console.print(f"\n{it.name}\n{it.detail}", markup=False, highlight=False)
    console.print(table)


def save(outcomes: list[Outcome], file: Path) -> None:
    """Write the machine and the outcomes as JSON."""
    said = {**machine.described(), "checks": [asdict(it) for it in outcomes]}
    file.write_text(json.dumps(said, indent=2) + "\n")
