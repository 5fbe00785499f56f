"""How runs are, from their files and their schedulers; a run is found by its name, or cancelled."""

from hpc_dl.jobs.cancel import cancel_run
from hpc_dl.jobs.find import find_run
from hpc_dl.jobs.status import UNKNOWN, Status, read_status, read_statuses

__all__ = ["UNKNOWN", "Status", "cancel_run", "find_run", "read_status", "read_statuses"]
