"""`hpcdl submit`: from a job spec to a run, or only to its plan."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hpc_dl.cli import job_request, run_choice
from hpc_dl.cli.job_request import Request
from hpc_dl.cli.run_choice import Choice
from hpc_dl.cli.runs import print_json
from hpc_dl.cli.screen import console
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.base import Scheduler

HELP = """Train what a job spec describes: on the cluster where there is one, else on this machine.
A run of the same training that stopped goes on where it was."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", metavar="JOB.yaml", help="the job spec")
    parser.add_argument(
        "words", metavar="key=value", nargs="*", default=[], help="override, like train.epochs=3"
    )
    add = parser.add_argument
    modes = {
        "": "print the plan, then rehearse a few steps of it here",
        "=plan": "only print the plan",
        "=script": "only print the job script",
    }
    for mode, line in modes.items():
        value = mode.removeprefix("=") or "rehearse"
        add(f"--dry-run{mode}", dest="dry_run", action="store_const", const=value, help=line)
    add("--local", action="store_true", help="on this machine, also where there is a cluster")
    add(
        "--follow",
        action="store_true",
        help="stay and watch a job of a cluster; local ones are watched",
    )
    add("--new", action="store_true", help="a new run, whatever runs of it there are")
    add_common(parser)
    add("--prepare", metavar="RUN_DIR", type=Path, help=argparse.SUPPRESS)


def add_common(parser: argparse.ArgumentParser) -> None:
    """The options that `resume` shares."""
    parser.add_argument("--site", help="the site, by name or file (else $HPCDL_SITE)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    request = job_request.read(Path(args.spec), args.words, args.site)
    if args.prepare:
        from hpc_dl.cli import send

        return send.prepare_within_job(request, args.prepare)
    choice = Choice("begin")
    if not args.new:
        place = request.run_root, request.spec, request.code, request.fingerprint
        choice = run_choice.choose(*place)
    scheduler = registry.choose(request.site, local=args.local)
    if args.dry_run:
        return _dry_run(args, request, choice, scheduler)
    from hpc_dl.cli import send

    manner = send.Manner(follow=args.follow, as_json=args.json, site=args.site)
    return send.send(request, choice, scheduler, manner)


def _dry_run(
    args: argparse.Namespace, request: Request, choice: Choice, scheduler: Scheduler
) -> int:
    from hpc_dl.cli import show_plan
    from hpc_dl.cli.preview import job_script, outlook

    if args.dry_run == "script":
        text = job_script(request, choice, args.site)
        print_json({"script": text}) if args.json else sys.stdout.write(text)
        return 0
    found = outlook(request, choice, scheduler)
    if args.dry_run == "rehearse":
        from hpc_dl.cli import dry_run

        return dry_run.run(request, found, as_json=args.json)
    print_json(show_plan.as_json(found)) if args.json else show_plan.show(found, console())
    return 0
