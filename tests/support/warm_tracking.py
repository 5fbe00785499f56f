"""What a process of the crowd has imported before it is forked; see tracking/test_crowd."""

from hpc_dl.tracking import store, sync_worker

store.import_client("sqlite:///")
__all__ = ["sync_worker"]
