"""The sbatch options that a spec or a site may give, and those that hpcdl sets itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from hpc_dl.jobspec.base import Misplaced

_FLAGS = (
    "contiguous help hold ignore-pbs no-requeue overcommit oversubscribe parsable quiet reboot "
    "requeue share spread-job stepmgr test-only usage use-min-nodes verbose version wait"
)
_FLAGS_OR_VALUES = "exclusive get-user-env nice no-kill oom-kill-step propagate"
_WITH_VALUE = (
    "account acctg-freq array autocomplete batch bb bbf begin chdir cluster-constraint clusters "
    "comment constraint container container-id core-spec cores-per-socket cpu-freq cpus-per-gpu "
    "cpus-per-task deadline delay-boot dependency distribution error exclude export export-file "
    "extra extra-node-info gid gpu-bind gpu-freq gpus gpus-per-node gpus-per-socket gpus-per-task "
    "gres gres-flags hint input job-name kill-on-invalid-dep licenses mail-type mail-user "
    "mcs-label mem mem-bind mem-per-cpu mem-per-gpu mincpus network nodefile nodelist nodes ntasks "
    "ntasks-per-core ntasks-per-gpu ntasks-per-node ntasks-per-socket open-mode output partition "
    "power prefer priority profile qos reservation segment signal sockets-per-node switches tasks "
    "thread-spec threads-per-core time time-min tmp tres-bind tres-per-task uid wait-all-nodes "
    "wckey workdir wrap"
)
FLAGS = frozenset(_FLAGS.split())
"""Options without a value."""
FLAGS_OR_VALUES = frozenset(_FLAGS_OR_VALUES.split())
WITH_VALUE = frozenset(_WITH_VALUE.split())
OTHER_MEMORY = ("mem-per-cpu", "mem-per-gpu")
"""sbatch takes one of them or `mem`."""
RESOURCE_KEYS = {
    "account": "account",
    "gpus-per-node": "gpus_per_node",
    "mem": "mem",
    "partition": "partition",
    "time": "time",
}
"""Options for which `resources` has a key."""
_KNOWN = FLAGS | FLAGS_OR_VALUES | WITH_VALUE
"""Those of Slurm 21.08 to 26.05. A site's plug-ins may add more, of which nothing is known."""

_LOG = "hpcdl logs finds what a job prints: its files are hpcdl's own"
_ANSWER = "hpcdl reads sbatch's answer itself"
_REQUEUE = "write resources.max_requeues, or `requeue: false` in the site's file"
_GPUS = "write resources.gpus_per_node, and gpu_type of the partition in the site's file"
_RANKS = "write resources.tasks_per_node, or resources.gpus_per_node: one rank runs on each GPU"
_CLUSTER = "a job goes to the cluster of SLURM_CONF, where `hpcdl status` asks for it"
_USER = "a job is its user's: submit it as that user"
_INSTEAD = {
    "account": "write resources.account, or `account` in the site's file",
    "array": "a job spec is one run: submit one for each",
    "autocomplete": _ANSWER,
    "chdir": "write absolute paths, or a `cd` under `setup` in the site's file",
    "cluster-constraint": _CLUSTER,
    "clusters": _CLUSTER,
    "cpus-per-gpu": "write resources.cpus_per_task: one rank runs on each GPU",
    "cpus-per-task": "write resources.cpus_per_task",
    "error": _LOG,
    "gid": _USER,
    "gpus": _GPUS,
    "gpus-per-node": _GPUS,
    "gpus-per-socket": _GPUS,
    "help": _ANSWER,
    "input": "a job reads nothing from its standard input",
    "job-name": "write `name`",
    "mem": "write resources.mem",
    "no-requeue": _REQUEUE,
    "nodes": "write resources.nodes",
    "ntasks": _RANKS,
    "ntasks-per-gpu": _RANKS,
    "ntasks-per-node": _RANKS,
    "open-mode": _LOG,
    "output": _LOG,
    "parsable": _ANSWER,
    "partition": "write resources.partition, or default_partition in the site's file",
    "quiet": _ANSWER,
    "requeue": _REQUEUE,
    "signal": "write signal_seconds in the site's file",
    "tasks": _RANKS,
    "test-only": "type `hpcdl submit --dry-run=plan`",
    "time": "write resources.time",
    "tres-per-task": "write resources.cpus_per_task and resources.gpus_per_node",
    "uid": _USER,
    "usage": _ANSWER,
    "verbose": _ANSWER,
    "version": _ANSWER,
    "wait": "type `hpcdl submit --follow`",
    "workdir": "write absolute paths, or a `cd` under `setup` in the site's file",
    "wrap": "shell lines before the training stand under `setup` in the site's file",
}
"""What to do in place of an option that hpcdl sets itself, or that would change how many jobs there
are, when sbatch returns, or what it prints."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


def key_of(option: str) -> str:
    """Return the key of a spec under which an option is written."""
    return f"resources.{RESOURCE_KEYS.get(option) or f'slurm.{option}'}"


def check_name(name: str) -> str:
    """Return the option's name as sbatch has it. Raises ValueError if it may not be given."""
    option = name.replace("_", "-")
    if not _NAME.fullmatch(option):
        raise ValueError("is no name of an sbatch option: letters, digits and '-'")
    if option not in _KNOWN and (longer := sorted(it for it in _KNOWN if it.startswith(option))):
        raise ValueError(
            f"sbatch takes '{option}' for {' or '.join(longer[:4])}: options are written in full"
        )
    if instead := _INSTEAD.get(option):
        raise ValueError(f"sbatch's --{option} cannot be given: {instead}")
    return option


def check_value(option: str, value: object) -> None:
    """Raise ValueError for a value with which sbatch would misread this option or the next."""
    if value is True and option in WITH_VALUE:
        raise ValueError("needs a value, not true")
    if isinstance(value, str) and (bad := re.search(r"[\x00-\x1f\x7f]", value)):
        raise ValueError(f"cannot hold the character {bad[0]!r}: it is one line for sbatch")
    if option == "gpus-per-task" and value not in (1, "1"):
        raise ValueError("one rank runs on each GPU: write resources.gpus_per_node")


def _check(options: object) -> object:
    """Raise Misplaced for the first value that cannot be, or option that is there twice."""
    seen: dict[str, str] = {}
    for key, value in options.items() if isinstance(options, Mapping) else ():
        option = str(key).replace("_", "-")
        first = seen.setdefault(option, key)
        if first != key:
            raise Misplaced((key,), f"is there twice: '{first}' is the same option")
        try:
            check_value(option, value)
        except ValueError as error:
            raise Misplaced((key,), str(error)) from None
    return options


SbatchOptions = Annotated[
    dict[Annotated[str, AfterValidator(check_name)], str | int | bool], BeforeValidator(_check)
]
"""sbatch options by their long names, written with `_` or `-`."""
