"""The status of runs: their files and their schedulers read together, and what acts on it.

`read_status` and `read_statuses` write nothing; `reconcile` writes what the files of a run miss,
`cancel_run` stops a job, `find_run` and `find_runs` find runs by name, `unfinished`
those to wait for, `named_runs` those that a spec names. Imported by `cli` alone.
"""

from hpc_dl.status.cancel import cancel_run
from hpc_dl.status.dependencies import named_runs, unfinished
from hpc_dl.status.lookup import find_run, find_runs, is_pattern
from hpc_dl.status.reconcile import reconcile
from hpc_dl.status.status import UNKNOWN, Status, read_status, read_statuses

__all__ = [
    "UNKNOWN",
    "Status",
    "cancel_run",
    "find_run",
    "find_runs",
    "is_pattern",
    "named_runs",
    "read_status",
    "read_statuses",
    "reconcile",
    "unfinished",
]
