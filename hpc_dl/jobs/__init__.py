"""What became of a run: found by its name, seen in the queue or the process table, cancelled."""

from hpc_dl.jobs.cancel import cancel
from hpc_dl.jobs.find import find
from hpc_dl.jobs.status import Status, status, statuses

__all__ = ["Status", "cancel", "find", "status", "statuses"]
