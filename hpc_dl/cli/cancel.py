"""`hpcdl cancel`: stop runs."""

from __future__ import annotations

import argparse
import sys

from hpc_dl.cli import common
from hpc_dl.errors import UserError
from hpc_dl.status import Status, cancel_run

HELP = "Stop runs, queued or running. They save first; `hpcdl submit` again resumes them."
configure = common.add_runs


def run(args: argparse.Namespace) -> int:
    """Stop the runs one after the other; one that cannot be stopped leaves the others to stop."""
    chosen, found, errors = common.chosen_runs(args), list[Status](), list[UserError]()
    for one in chosen:
        try:
            found.append(cancel_run(one))
        except UserError as error:
            errors.append(error)
    if args.json:
        shown = [status.to_json() for status in found]
        common.print_json(shown[0] if common.names_one(args) and shown else shown)
    else:
        sys.stdout.write("".join(f"{it.id}: {it.state}  {it.reason}\n" for it in found))
    if errors:
        raise UserError(
            "\n".join(error.message for error in errors),
            hint="\n".join(dict.fromkeys(error.hint for error in errors if error.hint)),
            exit_code=errors[0].exit_code,
        )
    return 0
