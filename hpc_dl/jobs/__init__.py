"""What became of a run: found by its name, seen in the queue or the process table, cancelled."""

from hpc_dl.jobs.cancel import cancel
from hpc_dl.jobs.find import find
from hpc_dl.jobs.status import UNKNOWN, Status, status, statuses

__all__ = ["UNKNOWN", "Status", "cancel", "find", "status", "statuses"]
