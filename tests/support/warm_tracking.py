"""Imports of a sync worker, for processes forked with them; see tracking/test_64_jobs."""

from hpc_dl.tracking import store, sync_worker

store.import_client("sqlite:///")
__all__ = ["sync_worker"]
