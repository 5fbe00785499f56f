"""`hpcdl submit`: from a job spec to a run, or only to its plan."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from hpc_dl.cli import job_request, run_choice
from hpc_dl.cli.common import add_site_and_json, console, print_json
from hpc_dl.cli.job_request import JobRequest
from hpc_dl.cli.run_choice import RunChoice
from hpc_dl.jobspec import swept_words
from hpc_dl.run.layout import RunDir
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.base import Scheduler

HELP = """Train what a job spec describes: on the cluster where there is one, else on this machine.
A run of the same training that stopped is resumed."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", metavar="JOB.yaml", help="the job spec")
    parser.add_argument(
        "overrides", metavar="key=value", nargs="*", default=[], help="like train.epochs=3"
    )
    add = parser.add_argument
    modes = {
        "": "print the plan, then train a few steps of it here",
        "=plan": "only print the plan",
        "=script": "only print the job script",
    }
    for mode, line in modes.items():
        value = mode.removeprefix("=") or "train"
        add(f"--dry-run{mode}", dest="dry_run", action="store_const", const=value, help=line)
    add("--local", action="store_true", help="on this machine, also where there is a cluster")
    add(
        "--follow",
        action="store_true",
        help="stay and watch a job of a cluster; local ones are watched",
    )
    add(
        "--after",
        metavar="RUN",
        action="append",
        default=[],
        help="start once RUN is complete, and be cancelled if it fails; may be repeated",
    )
    add("--new", action="store_true", help="start a new run, even if one of the same exists")
    add(
        "--sweep",
        action="store_true",
        help="train all trials of the spec's `sweep`, and of "
        "lists of values: train.optimizer.lr=[1e-3,1e-4]",
    )
    add_site_and_json(parser)
    add("--prepare", metavar="RUN_DIR", type=Path, help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    begun = RunDir(args.prepare.absolute()) if args.prepare else None
    after = [f"after={json.dumps(args.after)}"] if args.after else []
    overrides = [*args.overrides, *after]
    if args.sweep:
        overrides = swept_words.as_parameters(Path(args.spec), overrides)
    request = job_request.read(Path(args.spec), overrides, args.site, begun=begun)
    if args.prepare:
        from hpc_dl.cli import start

        return start.prepare_within_job(request, args.prepare)
    if args.sweep:
        return _sweep(args, request)
    choice = RunChoice("start")
    if not args.new:
        choice = run_choice.choose(
            request.run_root, request.spec, request.code, request.fingerprint
        )
    scheduler = registry.choose(request.site, local=args.local)
    if args.dry_run:
        return _dry_run(args, request, choice, scheduler)
    from hpc_dl.cli import start
    from hpc_dl.cli.watch import ReportOptions

    options = ReportOptions(follow=args.follow, as_json=args.json, site=args.site)
    return start.start_or_resume(request, choice, scheduler, options)


def _sweep(args: argparse.Namespace, request: JobRequest) -> int:
    from hpc_dl.cli.sweeps import plan, start

    return plan.run(args, request) if args.dry_run else start.run(args, request)


def _dry_run(
    args: argparse.Namespace, request: JobRequest, choice: RunChoice, scheduler: Scheduler
) -> int:
    from hpc_dl.cli import show_plan
    from hpc_dl.cli.preview import job_script, preview

    if args.dry_run == "script":
        text = job_script(request, choice, args.site)
        print_json({"script": text}) if args.json else sys.stdout.write(text)
        return 0
    found = preview(request, choice, scheduler)
    if args.dry_run == "train":
        from hpc_dl.cli import dry_run

        return dry_run.run(request, found, as_json=args.json)
    print_json(show_plan.to_json(found)) if args.json else show_plan.show(found, console())
    return 0
