"""Checks of a cluster: what Slurm says of itself, beside what the site's file says of it."""

from __future__ import annotations

import contextlib
import functools
import grp
import os
import re
import shutil
from collections.abc import Iterator, Mapping

from hpc_dl.doctor.finding import Check, Problem, Result, when
from hpc_dl.errors import first_few
from hpc_dl.jobspec import units
from hpc_dl.planning import site as sites
from hpc_dl.planning.site import Site
from hpc_dl.scheduler.slurm import cluster as slurm
from hpc_dl.scheduler.slurm.cluster import Accounting, Cluster, Partition

NEEDED = ("sbatch", "srun", "squeue", "scontrol", "scancel", "sinfo")
"""Slurm's commands without which nothing goes."""
DATABASE = ("sacct", "sacctmgr")
OLDEST = (21, 8)
"""The first Slurm whose options and formats hpcdl knows."""
SHORT_KILL_WAIT = 10
"""Seconds; writing a checkpoint may well take longer."""
WRITE_SITE = "`hpcdl doctor --write-site FILE` writes a site file with what Slurm offers."
_FROM_LOGS = "How a job ended that Slurm has forgotten is then known from its log alone."


def checks(cluster: Cluster, site: Site) -> dict[str, Check]:
    """Return the checks of a cluster whose controller answers, by their names."""
    return {
        "Slurm": functools.partial(version, cluster),
        "site file": functools.partial(site_file, cluster, site),
        "partitions": functools.partial(partitions, cluster, site),
        "GPU types": functools.partial(gpu_types, cluster, site),
        "account and QOS": functools.partial(account, cluster, site),
        "requeue": functools.partial(requeue, cluster, site),
        "signals": functools.partial(signals, cluster, site),
        "job arrays": functools.partial(arrays, cluster),
    }


def commands() -> Result:
    """Check that Slurm's commands are on this machine."""
    gone = [it for it in NEEDED if not shutil.which(it)]
    unasked = [it for it in DATABASE if not shutil.which(it)]
    return Result(
        f"sbatch is {shutil.which('sbatch')}",
        when(
            gone,
            "fault",
            f"not on this machine: {', '.join(gone)}",
            "Use a login node of the cluster, or load the site's module of Slurm.",
        )
        + when(unasked, "warning", f"not on this machine: {', '.join(unasked)}", _FROM_LOGS),
    )


def version(cluster: Cluster) -> Result:
    """Check Slurm's version, and whether it has a database."""
    numbers = tuple(int(it) for it in re.findall(r"\d+", cluster.version)[:2])
    return Result(
        f"{cluster.version} on cluster {cluster.name}",
        when(
            numbers < OLDEST,
            "warning",
            f"older than {OLDEST[0]}.{OLDEST[1]:02d}, whose options and formats hpcdl knows",
            "`hpcdl submit JOB.yaml --dry-run=script` shows what it would submit.",
        )
        + when(not cluster.has_database, "warning", "it keeps no database of jobs", _FROM_LOGS),
    )


def site_file(cluster: Cluster, site: Site) -> Result:
    """Check that the site in use says what this cluster offers."""
    return Result(
        f"site {site.name}",
        when(
            not site.partitions,
            "warning",
            "it names no partitions, so hpcdl cannot refuse a job that none of them can run",
            f"`hpcdl doctor --write-site {sites.users_file()}` writes one for {cluster.name}.",
        ),
    )


def partitions(cluster: Cluster, site: Site) -> Result:
    """Check the partitions, and the limits that the site's file gives for them."""
    known = {it.name: it for it in cluster.partitions}
    named = {*site.partitions, *filter(None, [site.default_partition])}
    problems = [problem for it in cluster.partitions for problem in _unusable(it)]
    for name in sorted(named - set(known)):
        problems += when(
            True,
            "fault",
            f"the site {site.name} names partition '{name}', which Slurm does not show",
            f"There are: {first_few(known)}. {WRITE_SITE}",
        )
    problems += when(
        not site.default_partition and not any(it.is_default for it in cluster.partitions),
        "warning",
        "neither Slurm nor the site has a default partition",
        "Write default_partition in the site's file, or resources.partition in each job.",
    )
    for name in sorted(site.partitions.keys() & known.keys()):
        problems += _promises(site, known[name])
    return Result("\n".join(map(described, cluster.partitions)) or "none", problems)


def described(it: Partition) -> str:
    """Return nodes and limits of a partition, on one line."""
    gpus = f", {it.gpus} GPUs ({', '.join(it.gpu_types) or 'no named type'})" if it.gpus else ""
    return (
        f"{it.name}{' (default)' if it.is_default else ''}: {it.count} nodes of {it.cpus} CPUs, "
        f"{it.memory} MB{gpus}; up to {it.max_time or 'any time'}"
    )


def _unusable(it: Partition) -> list[Problem]:
    why = closed_to_groups(it)
    if it.state != "UP":
        why = f"its state is {it.state}"
    elif it.nodes and all(each.is_down for each in it.nodes):
        why = f"all its nodes are {first_few(sorted({each.state for each in it.nodes}))}"
    return when(why, "warning", f"{it.name} takes none of your jobs now: {why}")


def closed_to_groups(it: Partition) -> str:
    """Return for whom a partition is, where this user's groups are not among them."""
    names = []
    for number in {*os.getgroups(), os.getegid()}:
        with contextlib.suppress(KeyError):  # a number without a name
            names.append(grp.getgrgid(number).gr_name)
    return it.closed_to("Groups", names) if os.geteuid() else ""


def _promises(site: Site, real: Partition) -> list[Problem]:
    """Return where the site's file promises more than the partition has."""
    said = site.partitions[real.name]
    memory = units.bytes_of(said.mem_per_node) if said.mem_per_node else 0
    seconds = units.seconds(said.max_time) if said.max_time else 0
    longest = units.seconds(real.max_time) if real.max_time else seconds
    more = {
        f"max_time is {said.max_time}, Slurm's {real.max_time}": seconds > longest,
        f"gpus_per_node is {said.gpus_per_node}, Slurm's {real.gpus}": (
            (said.gpus_per_node or 0) > real.gpus
        ),
        f"cpus_per_node is {said.cpus_per_node}, Slurm's {real.cpus}": (
            (said.cpus_per_node or 0) > real.cpus
        ),
        f"mem_per_node is {said.mem_per_node}, Slurm's {real.memory}M": memory
        > real.memory * 2**20,
    }
    return [
        Problem(
            "fault",
            f"partition {real.name}: the site's {text}",
            f"A job that asks for so much would never start. {WRITE_SITE}",
        )
        for text, is_too_much in more.items()
        if is_too_much
    ]


def gpu_types(cluster: Cluster, site: Site) -> Result:
    """Check the names of the GPUs, which jobs ask for by them."""
    having = [it for it in cluster.partitions if it.gpus]
    places: dict[str, list[str]] = {}
    for it in having:
        for kind in it.gpu_types or ["without a named type"]:
            places.setdefault(kind, []).append(it.name)
    found = [f"{kind}: {', '.join(names)}" for kind, names in places.items()]
    problems = []
    for it in having:
        said = site.partitions.get(it.name)
        if said and said.gpu_type and said.gpu_type not in it.gpu_types:
            problems += when(
                True,
                "fault",
                f"partition {it.name}: the site's gpu_type is {said.gpu_type}",
                f"Slurm knows {', '.join(it.gpu_types) or 'no types'} there, no other names.",
            )
    return Result("\n".join(found) or "Slurm hands out no GPUs (GRES)", problems)


def account(cluster: Cluster, site: Site) -> Result:
    """Check to which accounts this user may charge jobs, and by which QOS."""
    if not cluster.has_database:
        return Result("Slurm keeps no accounts")
    accounting = slurm.read_accounting(cluster)
    names = accounting.accounts
    if not names:
        return Result(
            "Slurm's database has no account of this user",
            when(
                cluster.enforces("associations"),
                "fault",
                "jobs without one are refused",
                "Ask the cluster's support for an account.",
            ),
        )
    closed = [it.name for it in cluster.partitions if it.closed_to("Accounts", names)]
    lines = [*_lines(accounting), *([f"closed to them: {', '.join(closed)}"] if closed else [])]
    qos = site.slurm.get("qos")
    return Result(
        "\n".join(lines),
        when(
            site.account and site.account not in names,
            "fault" if cluster.enforces("associations") else "warning",
            f"the site's account is {site.account}, which is none of them",
            f"Write `account: {names[0]}` in the site's file.",
        )
        + when(
            qos and qos not in accounting.qos,
            "fault" if cluster.enforces("qos") else "warning",
            f"the site's slurm.qos is {qos}, which none of the accounts has",
            f"There are: {first_few(accounting.qos)}.",
        ),
    )


def _lines(accounting: Accounting) -> Iterator[str]:
    for it in accounting.associations:
        where = f" in {it.partition}" if it.partition else ""
        yield f"account {it.account}{where}{_named(it.limits)}: QOS {', '.join(it.qos) or 'none'}"
    for name, limits in accounting.qos.items():
        if limits:
            yield f"QOS {name}{_named(limits)}"


def _named(limits: Mapping[str, str]) -> str:
    pairs = [f"{key} {value}" for key, value in limits.items()]
    return f" ({', '.join(pairs)})" if pairs else ""


def requeue(cluster: Cluster, site: Site) -> Result:
    """Check what becomes of a job whose node dies, or that is pre-empted."""
    mode = cluster.config.get("PreemptMode", "OFF")
    modes = sorted({it.options.get("PreemptMode", mode) for it in cluster.partitions} - {"OFF"})
    found = f"{'allowed' if site.requeue else 'forbidden'} by the site's file; pre-emption: "
    if cluster.config.get("PreemptType", "preempt/none").endswith("none"):
        return Result(f"{found}none")
    notice = [f"{it.name} {it.options['GraceTime']} s" for it in cluster.partitions
              if it.options.get("GraceTime", "0") != "0"]  # fmt: skip
    found += f"by {', '.join(modes).lower()}, with notice in {', '.join(notice) or 'no partition'}"
    return Result(
        found,
        when(
            any("CANCEL" in it for it in modes),
            "warning",
            "a pre-empted job may be cancelled instead of requeued",
            "`hpcdl submit` of the same job spec resumes it from its last checkpoint.",
        ),
    )


def signals(cluster: Cluster, site: Site) -> Result:
    """Check how much time a job has between a signal and its end."""
    wait = cluster.number("KillWait")
    return Result(
        f"a job is warned {site.signal_seconds} s before its time limit (signal_seconds), and has "
        f"{wait} s from SIGTERM to SIGKILL (KillWait)",
        when(
            wait is not None and wait < SHORT_KILL_WAIT,
            "warning",
            f"{wait} s may be too short to save a checkpoint when a job is cancelled",
            "What it may lose is limited by checkpoint.every of the job spec.",
        ),
    )


def arrays(cluster: Cluster) -> Result:
    """Check how many jobs an array may have."""
    size = cluster.number("MaxArraySize") or 0
    return Result(
        f"indices up to {size - 1} (MaxArraySize); {cluster.config.get('MaxJobCount')} jobs at "
        "once on the cluster (MaxJobCount)",
        when(size < 2, "warning", "this Slurm takes no job arrays"),
    )
