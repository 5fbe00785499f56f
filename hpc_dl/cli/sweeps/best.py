"""`hpcdl sweep best`: the job spec of the best configuration, ready to be submitted."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hpc_dl.cli import common, out_file
from hpc_dl.cli.sweeps import status
from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.jobspec import spec_file
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.units import count
from hpc_dl.sweep import info, progress, space, summary
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.info import Info
from hpc_dl.sweep.summary import Configuration


def run(sweep: SweepDir, args: argparse.Namespace) -> None:
    """Print the spec of the best configuration, write it into a file, or list the best ones.

    Raises UserError while there is none.
    """
    out_file.check(args.out, force=args.force, suffixes=(".yaml", ".yml"))
    known, trials = info.load(sweep), progress.read(sweep, ask=False)
    ranked = summary.ranked(trials, known.goal)
    if not ranked:
        raise UserError(
            f"{sweep.id} has no configuration with a value of {known.metric} yet",
            hint=f"`hpcdl sweep status {sweep.id}` shows how far it is.",
            exit_code=EXIT_FAILED,
        )
    if args.top:
        _list(sweep, known, ranked[: args.top], as_json=args.json)
        return
    values = _spec(sweep, ranked[0])
    text = _comment(sweep, known, ranked[0], len(trials)) + spec_file.dump_values(values)
    if args.out:
        args.out.write_text(text)
    if args.json:
        found = status.configuration_json(sweep, known, ranked[0])
        common.print_json({"sweep": sweep.id, "metric": known.metric, **found, "spec": values})
    elif args.out:
        sys.stdout.write(f"{args.out}\n")
    else:
        sys.stdout.write(text)
    if sweep.code.exists() and not _is_beside(args.out, known):
        folder = Path(known.file).parent
        sys.stderr.write(f"note: the spec names files in {folder}: submit it from a file there\n")


def _list(sweep: SweepDir, known: Info, best: Sequence[Configuration], *, as_json: bool) -> None:
    if as_json:
        found = [status.configuration_json(sweep, known, it) for it in best]
        common.print_json({"sweep": sweep.id, "metric": known.metric, "best": found})
    else:
        common.console().print(status.table(sweep, known, best))


def _spec(sweep: SweepDir, best: Configuration) -> dict[str, Any]:
    """Return the spec as it was submitted, with the best values in place of the sweep."""
    trial = best.trials[0].trial
    if len(best.trials) > 1:  # the seed is none of the values
        trial = dataclasses.replace(trial, seed=None)
    document = spec_file.read(sweep.submitted, space.words(trial), JobSpec)
    values: dict[str, Any] = document.values
    return {key: it for key, it in values.items() if key != "sweep"}


def _comment(sweep: SweepDir, known: Info, best: Configuration, trials: int) -> str:
    one = best.best(known.goal)
    over = f", over {count(len(best.trials), 'seed')}" if len(best.trials) > 1 else ""
    run = f"; {sweep.run(one.trial.number).id}" + (" is the best of them" if over else "")
    return (
        f"# The best of {count(trials, 'trial')} of {sweep.id}: "
        f"{known.metric} {best.mean}{over}{run}\n"
    )


def _is_beside(out: Path | None, known: Info) -> bool:
    return out is not None and out.absolute().parent == Path(known.file).parent
