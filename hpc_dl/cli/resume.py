"""`hpcdl resume`: continue a stopped run, with the code and the training that it has."""

from __future__ import annotations

import argparse
from dataclasses import replace

from hpc_dl.cli import common, job_request, run_choice, start
from hpc_dl.cli.run_choice import RunChoice
from hpc_dl.cli.watch import ReportOptions
from hpc_dl.data import fingerprint
from hpc_dl.errors import UserError
from hpc_dl.planning.plan import Plan
from hpc_dl.run import lease, records
from hpc_dl.run.layout import RunDir
from hpc_dl.scheduler import registry
from hpc_dl.status import read_status
from hpc_dl.submission import provenance, resumed_code
from hpc_dl.submission.prepare import replan

HELP = """Resume a run that stopped, from its newest checkpoint. Of its spec, the resources,
tracking, checkpoints and notifications can be changed; for another training, submit a new run."""
CHANGEABLE = ("resources", "tracking", "checkpoint", "after", "notify")


def configure(parser: argparse.ArgumentParser) -> None:
    common.add_run(parser)
    parser.add_argument(
        "overrides", metavar="key=value", nargs="*", default=[], help="like resources.time=02:00:00"
    )
    parser.add_argument(
        "--local", action="store_true", help="on this machine, also where there is a cluster"
    )
    parser.add_argument(
        "--code",
        choices=["submitted", "current"],
        default="submitted",
        help="which hpcdl: the copy of its submission (default), or the one that is installed now",
    )
    parser.add_argument("--follow", action="store_true", help="stay and watch a job of a cluster")


def run(args: argparse.Namespace) -> int:
    run = common.chosen_run(args)
    _check_overrides(args.overrides)
    options = ReportOptions(follow=args.follow, as_json=args.json, site=args.site)
    status = read_status(run, lease.RELEASE_SECONDS)
    action = run_choice.action_for(status)
    if action == "resume" and args.code == "submitted":
        resumed_code.hand_over(run)
    request = job_request.read(run.spec, args.overrides, args.site, copied=run.code, begun=run)
    request = replace(request, run_root=run.root)
    scheduler = registry.choose(request.site, local=args.local)
    if action != "resume":
        choice = RunChoice(action, run, status)
        return start.start_or_resume(request, choice, scheduler, options)

    if request.spec.training() != records.load_spec(run).training():
        raise UserError(
            "another checkpoint.monitor would make it another training",
            hint="By it the best checkpoint was chosen so far; for another, hpcdl submit --new.",
        )
    fingerprint.check(run, request.fingerprint, request.facts)

    def prepare_again(run: RunDir) -> Plan:
        plan = request.plan(run.path, scheduler)
        provenance.add_resumption(run)
        replan(run, request.resolved(scheduler), plan)
        return plan

    return start.resume(run, prepare_again, options)


def _check_overrides(overrides: list[str]) -> None:
    for override in overrides:
        if override.partition("=")[0].partition(".")[0] not in CHANGEABLE:
            raise UserError(
                f"`{override}` would make it another training",
                hint=f"Only {', '.join(CHANGEABLE)} can change; for the rest `hpcdl submit`.",
            )
