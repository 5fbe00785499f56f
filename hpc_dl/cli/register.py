"""`hpcdl register`: a trained network as a version in MLflow's model registry."""

from __future__ import annotations

import argparse
import sys

from hpc_dl.cli import trained_model
from hpc_dl.errors import UserError
from hpc_dl.run.layout import RunDir

HELP = "Register the network of a run as a version in MLflow's model registry, under a name."

TIMEOUT = 60.0
"""Seconds to wait for another process that is writing to the store."""


def configure(parser: argparse.ArgumentParser) -> None:
    trained_model.add_model(parser)
    parser.add_argument("name", metavar="NAME", help="of the registered model; made if new")
    parser.add_argument("--alias", help="that is to point at this version, such as champion")
    parser.epilog = "The same run twice stays one version; an alias moves."


def run(args: argparse.Namespace) -> int:
    _, trained = trained_model.find_of_run(args)
    from hpc_dl.jobspec.credentials import hidden
    from hpc_dl.tracking import store_uri

    uri = store_uri.load(trained)
    if uri is None:
        raise UserError(f"{trained.id} has no plan, which names its store")
    version, is_new = _register(trained, uri, args.name, args.alias)
    sys.stdout.write(
        f"{args.name}, version {version}: {trained.id}{'' if is_new else ', as before'}\n"
        f"address models:/{args.name}{f'@{args.alias}' if args.alias else f'/{version}'}\n"
        f"store   {hidden(uri)}\n"
    )
    return 0


def _register(run: RunDir, uri: str, name: str, alias: str | None) -> tuple[str, bool]:
    """Register the network of a completed run, which is sent to the store first if it is not there;
    return the number of the version, and whether it is new.

    Raises UserError for a name or an alias that MLflow refuses, and StoreUnavailable.
    """
    from hpc_dl.tracking import registry, store, sync
    from hpc_dl.tracking.cursor import Cursor
    from hpc_dl.tracking.downloads import model_of_run

    if sync.is_pending(run):
        sync.sync_run(run, TIMEOUT)
    mlflow_id = Cursor.load(run).mlflow_id
    if mlflow_id is None:
        raise UserError(f"{run.id} is not in the store", hint=f"hpcdl sync {run.id}")
    with store.open_store(uri, TIMEOUT) as client:
        from mlflow.exceptions import MlflowException

        model = model_of_run(client, f"runs:/{mlflow_id}")
        try:
            version, is_new = registry.add_version(client, run, model, name)
            if alias is not None:
                client.set_registered_model_alias(name, alias, version)
        except MlflowException as error:
            if error.error_code != "INVALID_PARAMETER_VALUE":
                raise
            raise UserError(f"MLflow refuses that: {store.describe_error(error)}") from None
    return version, is_new
