"""`hpcdl sweep`: look at sweeps, go on with them, and stop them."""

from __future__ import annotations

import argparse
from pathlib import Path

from hpc_dl.cli import common, out_file, rm
from hpc_dl.sweep import folder
from hpc_dl.sweep.folder import SweepDir

HELP = """Look at a sweep, go on with it, or stop it. `hpcdl submit JOB.yaml --sweep` starts one."""
_VERBS = {
    "status": "its trials by state, and the best of them",
    "best": "the job spec of the best trial, ready to be submitted",
    "plot": "draw its results: the best so far, all curves, values and their importance",
    "resume": "go on with the trials that were stopped",
    "extend": "add trials, also while it runs",
    "cancel": "stop it: trials that run save first",
    "rm": "remove it with all of its runs, and what MLflow has of them",
}


def configure(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, line in _VERBS.items():
        verb = verbs.add_parser(name, help=line, description=line)
        verb.add_argument("word", metavar="SWEEP", help="its name or id, or `latest`")
        if name == "resume":
            verb.add_argument("--failed", action="store_true", help="those that failed, too")
        if name == "best":
            _add_out(verb, "write the spec into FILE")
            verb.add_argument("--top", metavar="N", type=_number, help="list the best N instead")
        if name == "plot":
            _add_out(verb, f"the figure: {' '.join(out_file.FIGURES)}", required=True)
        if name == "extend":
            verb.add_argument(
                "overrides", metavar="key=value", nargs="+", help="like sweep.trials=60"
            )
        if name == "rm":
            rm.add_options(verb)
        common.add_site_and_json(verb)


def _add_out(verb: argparse.ArgumentParser, what: str, *, required: bool = False) -> None:
    verb.add_argument("-o", "--out", metavar="FILE", type=Path, required=required, help=what)
    verb.add_argument("--force", action="store_true", help="replace FILE")


def _number(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"'{text}' is no number of 1 or more")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Do what the verb says; return the exit code."""
    sweep = folder.find(common.run_root(args), args.word)
    _DO[args.verb](sweep, args)
    return 0


def _status(sweep: SweepDir, args: argparse.Namespace) -> None:
    from hpc_dl.cli.sweeps import status

    if args.json:
        common.print_json(status.to_json(sweep))
    else:
        status.show(sweep, common.console())


def _best(sweep: SweepDir, args: argparse.Namespace) -> None:
    from hpc_dl.cli.sweeps import best

    best.run(sweep, args)


def _plot(sweep: SweepDir, args: argparse.Namespace) -> None:
    from hpc_dl.cli.sweeps import plot

    plot.run(sweep, args)


def _resume(sweep: SweepDir, args: argparse.Namespace) -> None:
    from hpc_dl.cli.sweeps import resume

    resume.resume(sweep, failed=args.failed)
    _status(sweep, args)


def _extend(sweep: SweepDir, args: argparse.Namespace) -> None:
    from hpc_dl.cli.sweeps import extend

    extend.extend(sweep, args.overrides)
    _status(sweep, args)


def _cancel(sweep: SweepDir, args: argparse.Namespace) -> None:
    from hpc_dl.cli.sweeps import cancel

    cancel.cancel(sweep)
    _status(sweep, args)


def _remove(sweep: SweepDir, args: argparse.Namespace) -> None:
    from hpc_dl.cli.sweeps import rm

    rm.remove(sweep, args)


_DO = {
    "status": _status,
    "best": _best,
    "plot": _plot,
    "resume": _resume,
    "extend": _extend,
    "cancel": _cancel,
    "rm": _remove,
}
