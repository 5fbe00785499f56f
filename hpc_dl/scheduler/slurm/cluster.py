"""A cluster as Slurm describes it: configuration, partitions, and what its database says of a user.

Read from `scontrol -o`, `sinfo -o` and `sacctmgr -P`, whose forms have not changed since Slurm
21.08; JSON comes only from Slurm that was built with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hpc_dl.run.process_identity import user
from hpc_dl.scheduler.slurm import client

SECONDS = 10.0
"""Time-out of each query."""
_UNLIMITED = frozenset({"", "UNLIMITED", "INFINITE", "NONE", "(null)", "N/A", "infinite"})
_DOWN = re.compile(r"down|drain|drng|fail|unknown|inval|error", re.IGNORECASE)
_ENFORCED_WITH = {
    "associations": {"associations", "limits", "qos", "safe", "wckeys", "all"},
    "limits": {"limits", "safe", "all"},
    "qos": {"qos", "all"},
}
"""The words of AccountingStorageEnforce that bring each."""


@dataclass(frozen=True)
class Nodes:
    """Nodes of a partition that are alike."""

    count: int
    cpus: int
    memory: int
    """In megabytes."""
    gpus: Mapping[str, int]
    """How many a node has, by Slurm's name of their type; "" for a type without a name."""
    state: str

    @property
    def is_down(self) -> bool:
        return _DOWN.match(self.state) is not None


@dataclass(frozen=True)
class Partition:
    """A partition, with the options that `scontrol show partition` prints."""

    name: str
    options: Mapping[str, str]
    nodes: Sequence[Nodes]

    @property
    def is_default(self) -> bool:
        return self.options.get("Default") == "YES"

    @property
    def state(self) -> str:
        return self.options.get("State", "UP")

    @property
    def max_time(self) -> str | None:
        """The longest time limit, as Slurm writes it; None without one."""
        return limit(self.options.get("MaxTime", ""))

    @property
    def count(self) -> int:
        return sum(it.count for it in self.nodes)

    @property
    def cpus(self) -> int:
        """Of the largest node."""
        return max((it.cpus for it in self.nodes), default=0)

    @property
    def memory(self) -> int:
        """Of the largest node, in megabytes."""
        return max((it.memory for it in self.nodes), default=0)

    @property
    def gpus(self) -> int:
        """Of the node with most of one type, for a job asks for one type."""
        return max((n for it in self.nodes for n in it.gpus.values()), default=0)

    @property
    def gpu_types(self) -> list[str]:
        """The types that have a name, those first of which a node has most."""
        most: dict[str, int] = {}
        for it in self.nodes:
            for kind, number in it.gpus.items():
                most[kind] = max(number, most.get(kind, 0))
        return [kind for kind in sorted(most, key=lambda it: (-most[it], it)) if kind]

    def closed_to(self, what: Literal["Accounts", "Groups"], names: Sequence[str]) -> str:
        """Return for whom the partition is, where all of these names are shut out; else ""."""
        allowed = self.options.get(f"Allow{what}", "ALL")
        if allowed != "ALL" and set(names).isdisjoint(allowed.split(",")):
            return f"only for the {what.lower()} {allowed}"
        denied = limit(self.options.get(f"Deny{what}", ""))
        if denied and set(names) <= set(denied.split(",")):
            return f"closed to the {what.lower()} {denied}"
        return ""


@dataclass(frozen=True)
class Association:
    """What one of a user's accounts may do."""

    account: str
    partition: str
    """Empty where it holds for all of them."""
    qos: tuple[str, ...]
    default_qos: str
    limits: Mapping[str, str]
    """Those that are set, by sacctmgr's names."""


@dataclass(frozen=True)
class Accounting:
    """Accounts and QOS of this user in Slurm's database."""

    associations: Sequence[Association]
    qos: Mapping[str, Mapping[str, str]]
    """The limits of every QOS that the user has, by its name."""

    @property
    def accounts(self) -> list[str]:
        return list(dict.fromkeys(it.account for it in self.associations))


@dataclass(frozen=True)
class Cluster:
    """A cluster, as its controller describes it."""

    config: Mapping[str, str]
    """`scontrol show config`."""
    partitions: Sequence[Partition]

    @property
    def name(self) -> str:
        return self.config.get("ClusterName", "slurm")

    @property
    def version(self) -> str:
        return self.config.get("SLURM_VERSION", "")

    @property
    def has_database(self) -> bool:
        return "slurmdbd" in self.config.get("AccountingStorageType", "")

    def enforces(self, what: Literal["associations", "limits", "qos"]) -> bool:
        """Return whether jobs need `associations`, `limits` or `qos` to be in order."""
        words = self.config.get("AccountingStorageEnforce", "").lower().split(",")
        return not _ENFORCED_WITH[what].isdisjoint(words)

    def number(self, key: str) -> int | None:
        """Return a number of the configuration, like the seconds of `KillWait`."""
        match = re.match(r"(\d+)", self.config.get(key, ""))
        return int(match[1]) if match else None


def read() -> Cluster:
    """Ask the controller. Raises SlurmError."""
    config = read_config()
    partitions = client.call(["scontrol", "show", "partition", "--oneliner"], SECONDS)
    nodes = client.call(["sinfo", "-h", "-a", "-e", "-o", "%R|%D|%c|%m|%T|%G"], SECONDS)
    return Cluster(config, _partitions(partitions, nodes))


def read_config() -> dict[str, str]:
    """Ask the controller for `scontrol show config`. Raises SlurmError."""
    return _config(client.call(["scontrol", "show", "config"], SECONDS))


def read_accounting(cluster: Cluster) -> Accounting:
    """Ask the database. Raises SlurmError."""
    mine = ["where", f"user={user()}", f"cluster={cluster.name}"]
    associations = [
        Association(
            row["Account"],
            row["Partition"],
            tuple(filter(None, row["QOS"].split(","))),
            row["DefaultQOS"],
            _limits(row, _OF_ACCOUNTS),
        )
        for row in _table("assoc", (*_ASSOCIATION, *_OF_ACCOUNTS), mine)
    ]
    ours = {name for it in associations for name in it.qos}
    qos = {
        row["Name"]: _limits(row, _OF_QOS)
        for row in _table("qos", ("Name", *_OF_QOS), [])
        if row["Name"] in ours
    }
    return Accounting(associations, qos)


def limit(value: str) -> str | None:
    """Return a limit, or None for one of Slurm's words for none."""
    return None if value in _UNLIMITED else value


_ASSOCIATION = ("Account", "Partition", "QOS", "DefaultQOS")
_OF_ACCOUNTS = ("MaxJobs", "MaxSubmitJobs", "MaxWall", "MaxTRES", "GrpTRES")
_OF_QOS = ("MaxWall", "MaxJobsPerUser", "MaxSubmitJobsPerUser", "MaxTRESPerUser", "GrpTRES")


def _table(what: str, fields: Sequence[str], where: Sequence[str]) -> list[dict[str, str]]:
    command = ["sacctmgr", "-n", "-P", "show", what, *where, f"format={','.join(fields)}"]
    rows = [line.split("|") for line in client.call(command, SECONDS).splitlines()]
    return [dict(zip(fields, row, strict=True)) for row in rows if len(row) == len(fields)]


def _limits(row: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    return {name: row[name] for name in names if limit(row[name])}


def _config(text: str) -> dict[str, str]:
    found = re.findall(r"^(\S+)\s*=[ ]?(.*)$", text, re.MULTILINE)
    return {key: value.strip() for key, value in found}


def _partitions(text: str, nodes: str) -> list[Partition]:
    groups: dict[str, list[Nodes]] = {}
    for line in nodes.splitlines():
        name, count, cpus, memory, state, gres = line.strip().split("|", 5)
        groups.setdefault(name, []).append(
            Nodes(_number(count), _number(cpus), _number(memory), gpus(gres), state)
        )
    found = []
    for line in text.splitlines():
        options = dict(re.findall(r"(\S+?)=(\S*)", line))
        if name := options.get("PartitionName", ""):
            found.append(Partition(name, options, groups.get(name, [])))
    return found


def _number(text: str) -> int:
    """Return a number, also one with a `+` for "or more"."""
    match = re.match(r"\d+", text.strip())
    return int(match[0]) if match else 0


def gpus(gres: str) -> dict[str, int]:
    """Return the GPUs of a node in Slurm's GRES, by type: `gpu:a100:4(S:0-1),gpu:v100:2`."""
    found: dict[str, int] = {}
    for entry in re.split(r",(?![^(]*\))", gres):
        name, *rest = re.sub(r"\(.*", "", entry).strip().split(":")
        if name == "gpu":
            kind = rest[0] if rest and not rest[0].isdecimal() else ""
            count = rest[-1] if rest and rest[-1].isdecimal() else "1"
            found[kind] = found.get(kind, 0) + int(count)
    return found
