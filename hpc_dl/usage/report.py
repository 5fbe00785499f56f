"""Report on a run: what was asked for and used, and advice; as text, Markdown, JSON and metrics."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.jobspec import units
from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal, records
from hpc_dl.run.layout import RunDir
from hpc_dl.usage import flop_rate, usage
from hpc_dl.usage.advice import SHORTEST, Asked, advise, gigabytes
from hpc_dl.usage.usage import Usage

if TYPE_CHECKING:
    from rich.console import Console

_KWH = 3.6e6
_DOES_NOT_TELL = "the machine does not tell"
_NAMES = {
    usage.TRAINING: "training",
    usage.DATA: "waiting for data",
    usage.EVALUATION: "evaluation",
    usage.CHECKPOINT: "checkpoints",
    usage.START: "start",
    usage.TEST: "test and export",
}


class Row(NamedTuple):
    """A line of the table; empty where there is nothing to say."""

    name: str
    asked: str
    used: str


@dataclass(frozen=True)
class Report:
    """What a run has used until now."""

    run_id: str
    state: str
    attempts: int
    asked: Asked
    used: Usage
    flops_per_second: float | None = None
    """Median of its reports, of all ranks together; None where it is not known."""
    mfu: float | None = None
    """The same of its share in the peak of its GPUs, in percent."""

    @property
    def advice(self) -> list[str]:
        completed = self.state == "completed"
        return advise(self.asked, self.used, self.attempts, completed=completed)

    @property
    def no_advice(self) -> str:
        """Why there is none; empty where there is some."""
        if self.advice:
            return ""
        if self.used.seconds < SHORTEST:
            return f"none: shorter than {units.roughly(SHORTEST)}, too short to know"
        if self.state != "completed":
            return "none on resources before it is completed"
        if not self.asked.of_scheduler:
            return "none on resources: this machine was there anyway"
        return "none: what was asked for fits"

    def rows(self) -> list[Row]:
        asked, used = self.asked, self.used
        time, memory = units.clock(asked.seconds), "the site's default"
        if asked.memory:
            memory = gigabytes(asked.memory)
        if not asked.of_scheduler:
            time = memory = ""
        attempts = f", in {self.attempts} attempts" if self.attempts > 1 else ""
        cores = f"{used.mean_cores:.1f} on average, {used.cores:.1f} at most"
        cached = f", {gigabytes(used.job_memory)} with cached files" if used.job_memory else ""
        found = [
            Row("time", time, units.clock(used.seconds) + attempts),
            Row("cores of a rank", str(asked.cpus_per_task), cores),
            Row("memory of a node", memory, f"{gigabytes(used.memory)} at most{cached}"),
        ]
        if used.gpu_seconds:
            found += self._gpu_rows()
        if self.flops_per_second is not None:
            found.append(Row("model FLOP/s", "", self._flop_rate(self.flops_per_second)))
        return [*found, Row("energy", "", self._energy()), Row("time went to", "", self._phases())]

    def _flop_rate(self, rate: float) -> str:
        share = "" if self.mfu is None else f", {self.mfu:.3g} % of the GPUs' peak (MFU)"
        return f"{flop_rate.readable(rate)}FLOP/s{share}"

    def _gpu_rows(self) -> list[Row]:
        used, count = self.used, self.asked.nodes * self.asked.gpus_per_node
        busy = "not known without `pip install 'hpcdl[gpu]'`"
        if used.gpu_utilization is not None:
            busy = f"busy for {used.gpu_utilization:.0f} % of the time"
        found = [Row("GPUs", str(count), busy)]
        if used.gpu_memory is not None and used.gpu_total_memory is not None:
            most = f"{gigabytes(used.gpu_memory)} at most"
            found.append(Row("memory of a GPU", gigabytes(used.gpu_total_memory), most))
        return found

    def _energy(self) -> str:
        used, parts = self.used, []
        if used.gpu_joules is not None:
            parts.append(f"{used.gpu_joules / _KWH:.3g} kWh of the GPUs")
        if used.node_joules is not None:
            node = f"{used.node_joules / _KWH:.3g} kWh of the nodes' processors"
            parts.append(f"{node}, other jobs on them included")
        return ", ".join(parts) or _DOES_NOT_TELL

    def _phases(self) -> str:
        shares = {name: self.used.share(phase) for phase, name in _NAMES.items()}
        return ", ".join(f"{name} {share:.0%}" for name, share in shares.items())

    def to_json(self) -> dict[str, Any]:
        """Return everything, in seconds, bytes and joules."""
        shares = {phase: round(self.used.share(phase), 4) for phase in _NAMES}
        return {
            "run": self.run_id,
            "state": self.state,
            "attempts": self.attempts,
            "asked": asdict(self.asked),
            "used": {**asdict(self.used), "mean_cores": self.used.mean_cores},
            "flops_per_second": self.flops_per_second,
            "mfu_percentage": self.mfu,
            "shares": shares,
            "advice": self.advice,
        }

    def figures(self) -> dict[str, float]:
        """Return what is known of the key figures, as metrics by name."""
        used = self.used
        found = {
            "hours": used.seconds / 3600,
            "attempts": self.attempts,
            "cores_of_a_rank": used.mean_cores,
            "memory_of_a_node_gigabytes": used.memory / 2**30,
            "gpu_hours": used.gpu_seconds / 3600 if used.gpu_seconds else None,
            "gpu_utilization_percentage": used.gpu_utilization,
            "mfu_percentage": self.mfu,
            "gpu_memory_gigabytes": used.gpu_memory and used.gpu_memory / 2**30,
            "gpu_energy_kilowatt_hours": used.gpu_joules and used.gpu_joules / _KWH,
            **{f"{phase}_percentage": 100 * used.share(phase) for phase in _NAMES},
        }
        return {f"usage/{name}": value for name, value in found.items() if value is not None}

    def markdown(self) -> str:
        """Return the report as a page."""
        lines = [
            f"# {self.run_id}: {self.state}",
            "",
            "| | asked | used |",
            "| --- | --- | --- |",
            *(f"| {row.name} | {row.asked} | {row.used} |" for row in self.rows()),
            "",
            *(f"- {it}" for it in self.advice or [f"advice: {self.no_advice}"]),
        ]
        return "\n".join(lines) + "\n"

    def brief(self) -> str:
        """Return the most important in a line."""
        used = self.used
        cores = f"{used.mean_cores:.1f} of {self.asked.cpus_per_task} cores of a rank"
        return f"{cores}, {gigabytes(used.memory)} of a node; {self._phases()}"


def read(run: RunDir) -> Report:
    """Read the report on a run from its files. Raises DamagedFile, and UserError without any use of
    the run."""
    attempts = usage.read(run)
    if not attempts:
        raise UserError(
            f"nothing is known of what {run.id} used",
            hint="It has not trained yet, or did so under an hpcdl that did not measure it.",
            exit_code=EXIT_FAILED,
        )
    plan, spec = records.load(run.plan, Plan), records.load_spec(run)
    state = journal.last_state(run.journal)[0]
    rates = flop_rate.medians(run)
    return Report(
        run.id,
        state,
        len(attempts),
        Asked.of(spec, plan),
        usage.of_run(attempts),
        rates.get(flop_rate.RATE),
        rates.get(flop_rate.MFU),
    )


def show(report: Report, console: Console) -> None:
    """Print the report for people."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(f"{report.run_id}: {report.state}", style="bold", no_wrap=True)
    table.add_column("asked", no_wrap=True)
    table.add_column("used", overflow="fold")
    for row in report.rows():
        table.add_row(*map(Text, row))
    console.print(table)
    for line in report.advice or [report.no_advice]:
        console.print(Text(f"advice: {line}"), soft_wrap=True)
