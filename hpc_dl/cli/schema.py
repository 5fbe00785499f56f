"""`hpcdl schema`: the JSON Schema of job specs, for completion and checks in editors."""

from __future__ import annotations

import argparse
import json
import sys

HELP = "print the JSON Schema of job specs, for editors"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add nothing: there are no arguments."""


def run(args: argparse.Namespace) -> int:
    """Print the schema."""
    from hpc_dl.jobspec.schema import schema

    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
    return 0
