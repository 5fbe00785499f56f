"""`hpcdl schema`: the JSON Schema of job specs, by which editors complete and check them."""

from __future__ import annotations

import argparse
import json
import sys

HELP = "print the JSON Schema of job specs, for editors"


def configure(parser: argparse.ArgumentParser) -> None:
    """It takes no arguments."""


def run(args: argparse.Namespace) -> int:
    """Print the schema."""
    from hpc_dl.jobspec.schema import schema

    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
    return 0
