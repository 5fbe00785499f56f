"""`hpcdl resume`: go on with a run that stopped, with the code and the training that it has."""

from __future__ import annotations

import argparse
from dataclasses import replace

from hpc_dl.cli import job_request, run_choice, runs, send
from hpc_dl.cli.run_choice import Choice
from hpc_dl.data import fingerprint
from hpc_dl.errors import UserError
from hpc_dl.jobspec.load import load_resolved
from hpc_dl.planning.plan import Plan
from hpc_dl.run import lease
from hpc_dl.run.layout import RunDir
from hpc_dl.scheduler import registry
from hpc_dl.status import read_status
from hpc_dl.submission.prepare import replan

HELP = """Go on with a run that stopped, from its newest checkpoint. Of its spec, the resources, the
tracking and the checkpoints can be changed; for another training, submit a new run."""
CHANGEABLE = ("resources", "tracking", "checkpoint")


def configure(parser: argparse.ArgumentParser) -> None:
    runs.configure(parser)
    parser.add_argument(
        "words",
        metavar="key=value",
        nargs="*",
        default=[],
        help="override, like resources.time=02:00:00",
    )
    parser.add_argument(
        "--local", action="store_true", help="on this machine, also where there is a cluster"
    )
    parser.add_argument("--follow", action="store_true", help="stay and watch a job of a cluster")


def run(args: argparse.Namespace) -> int:
    found = runs.chosen(args)
    for word in args.words:
        if word.partition("=")[0].partition(".")[0] not in CHANGEABLE:
            raise UserError(
                f"`{word}` would make it another training",
                hint=f"Only {', '.join(CHANGEABLE)} can change; for the rest `hpcdl submit`.",
            )
    manner = send.Manner(follow=args.follow, as_json=args.json, site=args.site)
    status = read_status(found, lease.GRACE)
    action = run_choice.action_for(status)
    request = job_request.read(found.spec, args.words, args.site, copied=found.code)
    request = replace(request, run_root=found.root)
    scheduler = registry.choose(request.site, local=args.local)
    if action != "go_on":
        return send.send(request, Choice(action, found, status), scheduler, manner)

    if request.spec.training() != load_resolved(found.spec).training():
        raise UserError(
            "another checkpoint.monitor would make it another training",
            hint="By it the best checkpoint was chosen so far; for another, hpcdl submit --new.",
        )
    fingerprint.check(found, request.fingerprint)

    def replanned(run: RunDir) -> Plan:
        plan = request.plan(run.path, scheduler)
        replan(run, request.resolved(scheduler), plan)
        return plan

    return send.go_on(found, replanned, manner)
