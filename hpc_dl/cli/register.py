"""`hpcdl register`: a trained network as a version in MLflow's model registry."""

from __future__ import annotations

import argparse
import sys

from hpc_dl.cli import trained_model
from hpc_dl.errors import UserError

HELP = "Register the network of a run as a version in MLflow's model registry, under a name."


def configure(parser: argparse.ArgumentParser) -> None:
    trained_model.add_model(parser)
    parser.add_argument("name", metavar="NAME", help="of the registered model; made if new")
    parser.add_argument("--alias", help="that is to point at this version, such as champion")
    parser.epilog = "The same run twice stays one version; an alias moves."


def run(args: argparse.Namespace) -> int:
    _, trained = trained_model.find_of_run(args)
    from hpc_dl.jobspec.credentials import hidden
    from hpc_dl.tracking import registry, store_uri

    uri = store_uri.load(trained)
    if uri is None:
        raise UserError(f"{trained.id} has no plan, which names its store")
    version, is_new = registry.register(trained, uri, args.name, args.alias)
    sys.stdout.write(
        f"{args.name}, version {version}: {trained.id}{'' if is_new else ', as before'}\n"
        f"address models:/{args.name}{f'@{args.alias}' if args.alias else f'/{version}'}\n"
        f"store   {hidden(uri)}\n"
    )
    return 0
