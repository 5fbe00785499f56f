"""Check of the tracking store: does it answer?"""

from __future__ import annotations

from pathlib import Path

from hpc_dl.doctor import child
from hpc_dl.doctor.finding import Result, when
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.planning import tracking_store
from hpc_dl.planning.site import Site
from hpc_dl.tracking import store_uri

SECONDS = 90.0
"""Time-out, of which MLflow's import may take the most."""


def examine(site: Site, run_root: Path, *, has_nodes: bool) -> Result:
    """Check the store of runs whose spec names none."""
    uri = tracking_store.of_site(site, run_root)
    found, is_server = hidden(uri), not store_uri.is_database(uri)
    if uri.startswith(tracking_store.SQLITE) and not store_uri.sqlite_file(uri).exists():
        return Result(f"{found}, made by the first run")
    answer = child.ask(
        "hpc_dl.doctor.store_trial",
        seconds=SECONDS,
        who=f"the tracking store {found}",
        environment={"MLFLOW_TRACKING_URI": uri},
    )
    return Result(
        found,
        when(
            answer["fault"],
            "fault",
            answer["fault"],
            "Set tracking_uri in the site's file, or MLFLOW_TRACKING_URI. Runs train without a "
            "store; `hpcdl sync` sends later what they have journalled.",
        )
        + when(
            is_server and has_nodes and not site.internet,
            "unknown",
            "the site's file does not say that compute nodes reach it",
            "`hpcdl doctor --job` tries; write `internet: true` if they do. Else `hpcdl sync` on "
            "the login node brings the metrics.",
        ),
    )
