"""How runs are, from their files and their schedulers; a run is found by its name, or cancelled."""

from hpc_dl.status.cancel import cancel_run
from hpc_dl.status.lookup import find_run
from hpc_dl.status.status import UNKNOWN, Status, read_status, read_statuses

__all__ = ["UNKNOWN", "Status", "cancel_run", "find_run", "read_status", "read_statuses"]
