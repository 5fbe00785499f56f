"""Checks of the nodes, from what the ranks of the doctor's job have reported."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence

from hpc_dl.doctor import torch_build
from hpc_dl.doctor.finding import Check, Problem, Result, when
from hpc_dl.doctor.report import DONE, Report
from hpc_dl.errors import first_few
from hpc_dl.planning.plan import Plan

CLOCK_SECONDS = 1.0
SEEN_SECONDS = 10.0
"""After which a file of another node is seen late: the ranks of a run find each other by one."""
LITTLE_SPACE = 2**30
SLOW_IMPORT = 60.0
_LOOPBACK = re.compile(r"lo\d*")


def checks(plan: Plan, reports: Sequence[Report], ended: str) -> dict[str, Check]:
    """Return the checks of the nodes; `ended` is how the job ended, as Slurm has it."""
    found: dict[str, Check] = {"nodes": functools.partial(ranks, plan, reports, ended)}
    if reports:
        found |= {
            name: functools.partial(check, reports)
            for name, check in {
                "torch on nodes": torch,
                "folders on nodes": folders,
                "TMPDIR on nodes": temporary,
            }.items()
        }
    if plan.gpus_per_node and reports:
        found["GPUs on nodes"] = functools.partial(gpus, plan, reports)
    if any(it.bandwidth for it in reports):
        found["all-reduce"] = functools.partial(all_reduce, reports)
    if any(it.clock_ahead is not None for it in reports):
        found["clocks"] = functools.partial(clocks, reports)
    if any(it.locks for it in reports):
        found["locks between nodes"] = functools.partial(locks, reports)
    if any(it.store_fault is not None for it in reports):
        found["store from nodes"] = functools.partial(store, reports)
    return found


def ranks(plan: Plan, reports: Sequence[Report], ended: str) -> Result:
    """Check that all ranks came to the end."""
    missing = sorted(set(range(plan.world_size)) - {it.rank for it in reports})
    problems = [
        *when(
            missing,
            "fault",
            f"no word of rank {first_few(missing)}: the job ended with {ended or 'no reason'}",
            "Do the nodes see the run root and the Python environment? The logs tell more.",
        ),
        *(
            Problem("fault", f"rank {it.rank} on {it.host}, at {it.stage}: {it.error}", it.hint)
            for it in reports
            if it.error
        ),
    ]
    if unfinished := [it for it in reports if it.stage != DONE and not it.error]:
        stages = first_few(sorted({f"{it.stage} on {it.host}" for it in unfinished}))
        if not any(it.error for it in reports):
            problems.append(
                Problem(
                    "fault",
                    f"ended by {ended or 'its time limit'} at {stages}",
                    "A longer limit: resources.time=00:10:00.",
                )
            )
    hosts = sorted({it.host for it in reports})
    return Result(f"{plan.world_size} ranks on {plan.nodes} nodes: {first_few(hosts, 8)}", problems)


def torch(reports: Sequence[Report]) -> Result:
    """Check torch on the nodes: its build against their driver."""
    having = [it for it in reports if it.torch]
    wants_gpus = any(it.device == "cuda" for it in reports)
    problems = [
        Problem(problem.status, f"{it.host}: {problem.message}", problem.advice)
        for it in having
        for problem in torch_build.problems(it.torch, wants_gpus=wants_gpus)
    ]
    slowest = max((it.torch["seconds"] for it in having), default=0.0)
    builds = dict.fromkeys(torch_build.build(it.torch) for it in having)
    return Result(
        f"{'; '.join(builds)}, imported within {slowest:.0f} s",
        [
            *dict.fromkeys(problems),
            *when(
                slowest > SLOW_IMPORT,
                "warning",
                "the import is slow",
                "Is its environment on a file system that is made for many small files?",
            ),
        ],
    )


def gpus(plan: Plan, reports: Sequence[Report]) -> Result:
    """Check that each rank has a GPU of its own."""
    own = [it.gpu for it in reports if it.gpu]
    names = dict.fromkeys(it.partition(" GPU-")[0] for it in own)
    on_cpus = [it for it in reports if it.device == "cpu"]
    return Result(
        f"{len(set(own))} for {len(reports)} ranks: {', '.join(names) or 'none'}",
        when(
            len(set(own)) < len(own),
            "fault",
            "ranks share a GPU",
            "Remove gpu-bind and the like from `slurm` in the site's file.",
        )
        + when(
            on_cpus,
            "warning",
            f"ranks on {first_few({it.host for it in on_cpus})} train on CPUs",
            "ACCELERATE_USE_CPU is set in the environment, or in the site's `setup`.",
        ),
    )


def all_reduce(reports: Sequence[Report]) -> Result:
    """Show the bandwidth between the ranks, and over which network it was."""
    speeds = [it.bandwidth for it in reports if it.bandwidth]
    library = "NCCL" if any(it.device == "cuda" for it in reports) else "gloo"
    ways = dict.fromkeys(
        way for it in reports for way in (it.network or filter(None, [it.interface]))
    )
    several = len({it.host for it in reports}) > 1
    return Result(
        f"{library} over {first_few(ways)}: {min(speeds):.2f} GB/s of bus bandwidth",
        when(
            any("Using network Socket" in way for way in ways) and several,
            "warning",
            "NCCL uses sockets, not InfiniBand or RoCE",
            "If the nodes have one: is its library on them, and NCCL_IB_DISABLE unset?",
        ),
    )


def interface(reports: Sequence[Report]) -> str:
    """Return the network interface of the all-reduce, for the site's file; empty where that is not
    sure: unless it went between nodes, and all ranks, and NCCL on them, name the same one."""
    names = {it.interface for it in reports}
    names |= {name for it in reports for line in it.network for name in _sockets_of_nccl(line)}
    several = len({it.host for it in reports}) > 1
    if not several or len(names) > 1 or not all(it.bandwidth for it in reports):
        return ""
    name = names.pop()
    return "" if _LOOPBACK.fullmatch(name) else name


def _sockets_of_nccl(line: str) -> list[str]:
    """Return the interfaces that NCCL names: of its sockets, or those beside InfiniBand."""
    before = r"\[\d+\]" if line.startswith("NET/Socket") else "OOB "
    return re.findall(rf"{before}([^\s:]+):", line)


def clocks(reports: Sequence[Report]) -> Result:
    """Check that the clocks of the nodes agree."""
    ahead = {it.host: it.clock_ahead for it in reports if it.clock_ahead is not None}
    most = max(ahead.values()) - min(ahead.values())
    return Result(
        f"within {most * 1000:.0f} ms of each other",
        when(
            most > CLOCK_SECONDS,
            "warning",
            f"they differ: {', '.join(f'{host} {it:+.1f} s' for host, it in ahead.items())}",
            "Times in logs and on MLflow's charts are as wrong. Tell the cluster's support.",
        ),
    )


def locks(reports: Sequence[Report]) -> Result:
    """Check that a lock that one node has keeps out the others, and that they see its files."""
    first = next((it.host for it in reports if it.rank == 0), "")
    others = [it for it in reports if it.locks and it.host != first] or [
        it for it in reports if it.locks
    ]
    elsewhere = "Set run_root in the site's file to another file system."
    seen = max((it.seen_after or 0 for it in reports), default=0.0)
    return Result(
        f"flock {_words(others, lambda it: it.locks)}, POSIX "
        f"{_words(others, lambda it: it.record_locks)}; a new file is seen after {seen:.2f} s",
        when(
            any(it.locks == "useless" for it in others),
            "fault",
            "two nodes had one lock (flock) at the same time",
            f"{elsewhere} On Lustre, `localflock` does that; `flock` would be right.",
        )
        + when(
            any(it.record_locks == "useless" for it in others),
            "fault",
            "two nodes had one POSIX lock at the same time: MLflow's SQLite file would be spoilt",
            f"{elsewhere} Or use a tracking server: tracking_uri.",
        )
        + when(
            seen > SEEN_SECONDS,
            "warning",
            "files of other nodes are seen late",
            "The start of a run on several nodes waits as long.",
        ),
    )


def _words(reports: Sequence[Report], lock: Callable[[Report], str | None]) -> str:
    return " and ".join(sorted({lock(it) or "not tried" for it in reports}))


def folders(reports: Sequence[Report]) -> Result:
    """Show how fast the run root is from the nodes, and check that they see the data."""
    blind = sorted({it.host for it in reports if it.sees_data is False})
    writes = [it.write_speed for it in reports if it.write_speed]
    reads = [it.read_speed for it in reports if it.read_speed]
    files = [it.files_per_second for it in reports if it.files_per_second]
    speed = (
        f"run root: writes {min(writes):.0f} MB/s, reads {min(reads):.0f} MB/s, "
        f"{min(files):.0f} small files/s"
        if writes and reads and files
        else "run root: its speed was not measured"
    )
    return Result(
        speed,
        when(
            blind,
            "warning",
            f"{first_few(blind)} does not see the data root",
            "`hpcdl data fetch` makes it; if it is there, it is on a file system of this machine.",
        ),
    )


def temporary(reports: Sequence[Report]) -> Result:
    """Check the temporary folder of the nodes."""
    having = [it for it in reports if it.temporary_speed]
    kinds = dict.fromkeys(f"{it.temporary} ({it.temporary_filesystem})" for it in having)
    free = min((it.temporary_free for it in having), default=0)
    slowest = min((it.temporary_speed or 0 for it in having), default=0.0)
    return Result(
        f"{first_few(kinds)}: {free / 2**30:.0f} GiB free, writes {slowest:.0f} MB/s",
        when(
            having and free < LITTLE_SPACE,
            "warning",
            "little space is free",
            "Set TMPDIR in the site's `setup` to a folder with more.",
        ),
    )


def store(reports: Sequence[Report]) -> Result:
    """Check whether the nodes reach the tracking server."""
    cut_off = [it for it in reports if it.store_fault]
    return Result(
        "the nodes reach the tracking server" if not cut_off else "",
        when(
            cut_off,
            "warning",
            f"{first_few({it.host for it in cut_off})} does not reach the tracking server: "
            f"{cut_off[0].store_fault if cut_off else ''}",
            "`hpcdl sync` on the login node brings the metrics.",
        ),
    )


def rows(reports: Sequence[Report]) -> Iterator[dict[str, str]]:
    """Yield a row of the table for each node."""
    for host in sorted({it.host for it in reports}):
        here = [it for it in reports if it.host == host]
        lead = min(here, key=lambda it: it.local_rank)
        yield {
            "node": host,
            "ranks": ", ".join(str(it.rank) for it in here),
            "CPUs": str(lead.cpus),
            "GPUs": str(len({it.gpu for it in here if it.gpu})),
            "import of torch": _number(lead.torch.get("seconds"), "s", ".1f"),
            "clock": _number(lead.clock_ahead and lead.clock_ahead * 1000, "ms", "+.0f"),
            "writes": _number(lead.write_speed, "MB/s"),
            "reads": _number(lead.read_speed, "MB/s"),
            "small files": _number(lead.files_per_second, "/s"),
            "TMPDIR": _number(lead.temporary_speed, "MB/s"),
            "reached": "the end" if all(it.stage == DONE for it in here) else lead.stage,
        }


def _number(value: float | None, unit: str, form: str = ".0f") -> str:
    return "" if value is None else f"{value:{form}} {unit}"
