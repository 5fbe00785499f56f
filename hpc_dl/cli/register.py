"""`hpcdl register`: a trained network as a version in MLflow's model registry."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from hpc_dl.cli import trained_model
from hpc_dl.errors import UserError

HELP = "Register the network of a run as a version in MLflow's model registry, under a name."


def configure(parser: argparse.ArgumentParser) -> None:
    trained_model.add_model(parser)
    parser.add_argument("name", metavar="NAME", help="of the registered model; made if new")
    parser.add_argument("--alias", help="that is to point at this version, such as champion")
    parser.epilog = "The same run twice stays one version; an alias moves."


def run(args: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="hpcdl-") as folder:
        model = trained_model.find(args, Path(folder))
    if model.run is None:
        raise UserError(
            f"{args.word} is no run on this machine",
            hint="Give the run: `hpcdl status` lists them.",
        )
    from hpc_dl.jobspec.credentials import hidden
    from hpc_dl.tracking import registry, store_uri

    uri = store_uri.load(model.run)
    if uri is None:
        raise UserError(f"{model.run.id} has no plan, which names its store")
    version, is_new = registry.register(model.run, uri, args.name, args.alias)
    sys.stdout.write(
        f"{args.name}, version {version}: {model.run.id}{'' if is_new else ', as before'}\n"
        f"address models:/{args.name}{f'@{args.alias}' if args.alias else f'/{version}'}\n"
        f"store   {hidden(uri)}\n"
    )
    return 0
