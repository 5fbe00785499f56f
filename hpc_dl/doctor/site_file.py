"""Site file with what Slurm says of its partitions, and what the site in use says besides."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import date

from hpc_dl.doctor.cluster import closed_to_groups, described
from hpc_dl.errors import UserError
from hpc_dl.jobspec.commented import option_lines
from hpc_dl.jobspec.schema import Option, options, to_yaml
from hpc_dl.planning import site as sites
from hpc_dl.planning.site import Site
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.slurm import cluster as slurm
from hpc_dl.scheduler.slurm.client import SlurmError
from hpc_dl.scheduler.slurm.cluster import Cluster, Partition

_ASKED = frozenset({"description", "partitions", "default_partition", "account"})
"""Options that Slurm answers; the others stay as the site in use has them."""


def text(site_name: str | None, interface: str = "") -> str:
    """Return the site file; `interface` is that of the network between the nodes, if it is known.

    Raises SlurmError where Slurm does not answer.
    """
    site = sites.load(site_name or os.environ.get("HPCDL_SITE"), {})  # as its file has it
    if interface and site.network_interface is None:
        site = site.model_copy(update={"network_interface": interface})
    if not registry.get("slurm").is_available():
        raise UserError(
            "there is no Slurm on this machine, which would say what a site offers",
            hint="Write the file on a login node of the cluster.",
        )
    cluster = slurm.read()
    return "\n".join(lines(site, cluster, _accounts(cluster))) + "\n"


def _accounts(cluster: Cluster) -> list[str]:
    try:
        return slurm.read_accounting(cluster).accounts if cluster.has_database else []
    except SlurmError:  # then the file names none
        return []


def lines(site: Site, cluster: Cluster, accounts: Sequence[str]) -> Iterator[str]:
    """Yield the lines of the file; `accounts` are those of the user."""
    known = {it.name: it for it in options(Site)}
    yield f"# {cluster.name}, as Slurm {cluster.version} described it on {date.today()}."
    yield f"# Jobs use it as {sites.users_file()}, or by --site FILE or $HPCDL_SITE."
    yield "# A line with # and no space after it is an option with its default."
    yield f"name: {to_yaml(cluster.name)}"
    yield f"description: Slurm with {len(cluster.partitions)} partitions"
    yield from _default(cluster, known["default_partition"])
    offers = [line for it in cluster.partitions for line in _partition(it, accounts)]
    yield "partitions:" if any("#" not in line[:3] for line in offers) else "partitions: {}"
    yield from offers
    if accounts:
        yield f"# your accounts: {', '.join(accounts)}; unset, Slurm takes your default one"
    yield from option_lines(known["account"], site.account, is_set=site.account is not None)
    for name, option in known.items():
        if name not in _ASKED:
            is_set = name in site.model_fields_set
            yield from option_lines(option, getattr(site, name), is_set=is_set)


def _default(cluster: Cluster, option: Option) -> Iterator[str]:
    default = next((it.name for it in cluster.partitions if it.is_default), None)
    if default is None:
        yield "# Slurm has no default partition: take one of those below."
    yield from option_lines(option, default, is_set=default is not None)


def _partition(it: Partition, accounts: Sequence[str]) -> Iterator[str]:
    offer: dict[str, str | int] = {}
    if it.max_time:
        offer["max_time"] = it.max_time
    if it.nodes:
        offer["gpus_per_node"] = it.gpus
        if len(it.gpu_types) == 1:
            offer["gpu_type"] = it.gpu_types[0]
        offer |= {"cpus_per_node": it.cpus, "mem_per_node": f"{it.memory}M"}
    yield f"  # {described(it)}"
    if len(it.gpu_types) > 1:
        yield f"  # a job gets any of {', '.join(it.gpu_types)}, or those of a gpu_type named here"
    closed = closed_to_groups(it) or (it.closed_to("Accounts", accounts) if accounts else "")
    if closed:
        yield f"  # {closed}"
    yield f"  {'#' if closed else ''}{to_yaml(it.name)}: {to_yaml(offer)}"
