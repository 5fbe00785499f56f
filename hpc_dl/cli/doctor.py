"""`hpcdl doctor`: check this machine, the cluster and, by a short job, its nodes."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.cli import common
from hpc_dl.doctor import cluster as of_cluster
from hpc_dl.doctor import finding as findings
from hpc_dl.doctor import folders, job, nodes, site_file, torch_build, tracking
from hpc_dl.doctor.finding import Check, Finding
from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.planning import site as sites
from hpc_dl.planning.site import Site
from hpc_dl.run.layout import write_atomic
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.slurm import cluster as slurm
from hpc_dl.scheduler.slurm.client import SlurmError
from hpc_dl.scheduler.slurm.cluster import Cluster

if TYPE_CHECKING:
    from rich.console import Console

    from hpc_dl.cli.job_request import JobRequest
    from hpc_dl.doctor.report import Report
    from hpc_dl.scheduler.base import JobStatus

HELP = """Check what jobs need: Slurm, partitions, accounts, file systems and their locks, the
tracking store, torch against the driver; and say what to do. With --job also on the nodes."""

_STYLES = {"ok": "green", "unknown": "cyan", "warning": "yellow", "fault": "bold red"}


def configure(parser: argparse.ArgumentParser) -> None:
    common.add_site_and_json(parser)
    parser.add_argument(
        "--job", action="store_true", help="submit a job of two minutes that checks the nodes"
    )
    parser.add_argument(
        "overrides",
        metavar="resources.key=value",
        nargs="*",
        default=[],
        help="what that job asks for, like resources.partition=gpu",
    )
    parser.add_argument(
        "--write-site",
        metavar="FILE",
        type=Path,
        help="write a site file with what Slurm offers; with --job also the network interface "
        "between the nodes, where it is sure",
    )
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    parser.epilog = "Exit code: 1 if something is at fault; warnings are none."


def run(args: argparse.Namespace) -> int:
    if args.write_site:
        _check_free(args.write_site.expanduser(), force=args.force)
        if not args.job:
            return _write_site(args, common.console())
    if args.overrides and not args.job:
        raise UserError(
            f"'{args.overrides[0]}' is for the job of --job",
            hint=f"hpcdl doctor --job {' '.join(args.overrides)}",
        )
    site = sites.load(args.site, os.environ)
    cluster, first = _ask_slurm(site)
    if args.job and cluster is None:
        raise UserError(
            f"no job can be submitted: {first[-1].found}",
            hint="`hpcdl doctor` without --job checks this machine.",
        )
    request = _request(args, site, cluster) if cluster and args.job else None
    log = common.console(for_json=True)
    with log.status("checking ..."):
        found = [*first, *_run(_checks(site, cluster, asks_nodes=args.job))]
    reports: list[Report] = []
    if request and _is_at_fault(found, "run root"):
        found.append(Finding("job", "unknown", "not submitted: its reports go to the run root"))
    elif request:
        try:
            reports = _job(request, found, log)
        except UserError as error:
            found.append(Finding("job", "fault", error.message, error.hint))
    faults = _count(found, "fault")
    if args.json:
        common.print_json(
            {
                "faults": faults,
                "findings": [dataclasses.asdict(it) for it in found],
                "ranks": [dataclasses.asdict(it) for it in reports],
            }
        )
    else:
        _show(found, list(nodes.rows(reports)))
    if args.write_site:
        _write_site(args, log, nodes.interface(reports))
    return EXIT_FAILED if faults else 0


def _check_free(file: Path, *, force: bool) -> None:
    if file.exists() and not force:
        raise UserError(f"{file} is there already", hint="--force writes over it.")


def _write_site(args: argparse.Namespace, out: Console, interface: str = "") -> int:
    file = args.write_site.expanduser()
    write_atomic(file, site_file.text(args.site, interface))
    out.print(f"{file}: use it by --site {file}", soft_wrap=True)
    return 0


def _ask_slurm(site: Site) -> tuple[Cluster | None, list[Finding]]:
    """Return the cluster, if there is one that answers, and what is to be said of it first."""
    if site.scheduler != "slurm":
        said = f"the site {site.name} has its jobs run by {site.scheduler}, not by Slurm"
        return None, [Finding("cluster", "ok", said)]
    if not registry.get("slurm").is_available():
        said = "there is no Slurm on this machine: jobs run here"
        return None, [Finding("cluster", "ok", said)]
    commands = findings.run("Slurm's commands", of_cluster.commands)
    try:
        return slurm.read(), [commands]
    except SlurmError as error:
        return None, [commands, Finding("cluster", "fault", error.message, error.hint)]


def _checks(site: Site, cluster: Cluster | None, *, asks_nodes: bool) -> dict[str, Check]:
    """Return all checks from here; what nodes see is guessed unless they are asked, too."""
    has_nodes = cluster is not None and not asks_nodes
    run_root = sites.expand(site.run_root, os.environ)
    data_root = sites.expand(site.data_root, os.environ)
    gpus = any(it.gpus for it in cluster.partitions) if cluster else _has_gpus()
    return {
        **(of_cluster.checks(cluster, site) if cluster else {}),
        **folders.checks(run_root, data_root, has_nodes=has_nodes),
        "tracking store": functools.partial(tracking.examine, site, run_root, has_nodes=has_nodes),
        "torch": functools.partial(torch_build.examine, gpus),
    }


def _has_gpus() -> bool:
    from hpc_dl.cli.job_request import this_machine

    return this_machine().gpus > 0


def _run(checks: Mapping[str, Check]) -> list[Finding]:
    """Make the checks at once: most of their time they wait for another process."""
    with ThreadPoolExecutor(len(checks)) as pool:
        return list(pool.map(findings.run, checks.keys(), checks.values()))


def _request(args: argparse.Namespace, site: Site, cluster: Cluster) -> JobRequest:
    """Return the job that examines the nodes. Raises UserError for resources that cannot be."""
    from hpc_dl.cli import job_request

    words = job.resources(cluster, args.overrides, site.default_partition)
    return job_request.read(job.SPEC, words, args.site)


def _job(request: JobRequest, found: list[Finding], log: Console) -> list[Report]:
    """Submit the job and wait for it; add to what was `found`, and return what its ranks say."""
    with job.folder(request.run_root) as folder:
        plan = request.plan(folder.path, registry.get("slurm"))
        submission = job.submit(folder, plan)
        on_gpus = f" with {plan.gpus_per_node} GPUs each" if plan.gpus_per_node else ""
        what = f"job {submission.job_id} on {plan.nodes} nodes{on_gpus}"
        with log.status(what) as spinner:
            said = ""

            def show(now: JobStatus) -> None:
                nonlocal said
                text = " ".join(filter(None, [f"{what}: {now.phase}", now.where, now.reason]))
                spinner.update(text)
                if not log.is_terminal and text != said:
                    log.print(text)
                said = text

            end = job.wait(folder, submission, show)
        reports = job.collect(folder, plan)
        ended = " ".join(filter(None, [end.state or end.phase, end.reason]))
        on_nodes = _run(nodes.checks(plan, reports, ended))
        if any(it.status == "fault" for it in on_nodes):
            log.print(f"The job's script and logs are in {folder.path}.")
        else:
            job.remove(folder)
    found += on_nodes
    return reports


def _show(found: Sequence[Finding], rows: Sequence[Mapping[str, str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    out = common.console()
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("", "check", "found"):
        table.add_column(title, overflow="fold")
    for it in found:
        said = Text(it.found)
        if it.advice:
            said.append(f"\n{it.advice}", style="dim")
        table.add_row(Text(it.status, style=_STYLES[it.status]), it.check, said)
    out.print(table)
    if rows:
        per_node = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for title in rows[0]:
            per_node.add_column(title)
        for row in rows:
            per_node.add_row(*map(Text, row.values()))
        out.print()
        out.print(per_node)
    counts = [
        f"{n} {what}{'s' if n > 1 else ''}"
        for what in ("fault", "warning")
        if (n := _count(found, what))
    ]
    out.print(f"\n{', '.join(counts) or 'nothing is at fault'}")


def _is_at_fault(found: Sequence[Finding], check: str) -> bool:
    return any(it.check == check and it.status == "fault" for it in found)


def _count(found: Sequence[Finding], status: str) -> int:
    return sum(it.status == status for it in found)
