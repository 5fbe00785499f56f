"""`hpcdl verify`: train the recipes on real data with several seeds and check their metrics."""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.installed import PYTHON
from hpc_dl.run.layout import RunDir
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.verify import recipes

if TYPE_CHECKING:
    from rich.table import Table

    from hpc_dl.verify.results import Result
    from hpc_dl.verify.targets import Check, Target

HELP = """Train the shipped recipes on real data with several seeds, and compare their metrics
with targets. A run that is complete is not trained again."""
SAME_SPLIT = "each seed is a train.seed; all are validated and tested on the same examples"
FILE = "verified.json"
"""The file of the results, in the folder of the runs."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words",
        metavar="NAME | key=value",
        nargs="*",
        default=[],
        help="recipes, all if there is none; and overrides, like resources.gpus_per_node=1",
    )
    parser.add_argument("--seeds", type=int, help="number of seeds (else that of the recipe)")
    parser.add_argument("--local", action="store_true", help="on this machine, not through Slurm")
    parser.add_argument("--list", action="store_true", help="list the recipes and their targets")
    parser.add_argument("--site", help="the site, by name or file (else $HPCDL_SITE)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Train, print the table and save it; return 1 if a target was missed."""
    from rich.text import Text

    from hpc_dl.cli.common import console, print_json, run_root
    from hpc_dl.verify import results, targets

    chosen = targets.choose([word for word in args.words if "=" not in word])
    if args.list:
        console().print(_listing(chosen))
        return 0
    file = run_root(args) / FILE
    out = console(for_json=args.json)
    for target in chosen:
        out.print(Text.assemble((target.name, "bold"), f": {target.command}"), soft_wrap=True)
        runs = _train(target, args.seeds or target.seeds, args)
        known = results.load(file)  # another command may have added to it meanwhile
        new = results.summarise(target, runs, known)
        if target.classifier:
            new.append(results.real_images(new[0], _real_frechet(runs[0][0])))
        known |= {(it.recipe, it.metric): it for it in new}
        results.save(file, known)
    names = [target.name for target in chosen]
    found = [it for it in results.load(file).values() if it.recipe in names]
    if args.json:
        print_json([dataclasses.asdict(it) for it in found])
    else:
        out.print(_table(found))
        out.print(SAME_SPLIT)
        out.print(f"saved in {file}", soft_wrap=True)
    return EXIT_FAILED if any(it.met is False for it in found) else 0


def _train(target: Target, seeds: int, args: argparse.Namespace) -> list[list[RunDir]]:
    """Train a target with several seeds; return its runs by seed, one per case."""
    from hpc_dl.verify.targets import find

    words = list(target.overrides)
    if target.classifier:
        ((classifier,),) = _train(find(target.classifier), 1, args)
        words.append(f"model.classifier={classifier.export}")
    by_case = [
        _train_seeds(target, f"{target.name}{number}", [*words, *case], seeds, args)
        for number, case in _numbered_cases(target)
    ]
    return [list(of_seed) for of_seed in zip(*by_case, strict=True)]


def _numbered_cases(target: Target) -> list[tuple[str, list[str]]]:
    """Return the words of each case, with the end of its name; a target without cases has one."""
    if not target.cases:
        return [("", [])]
    return [(f"-{number}", [case]) for number, case in enumerate(target.cases)]


def _train_seeds(
    target: Target, name: str, words: Iterable[str], seeds: int, args: argparse.Namespace
) -> list[RunDir]:
    """Train seeds as a sweep, with `hpcdl submit`; return the runs. Raises UserError where one
    fails."""
    own = [word for word in args.words if "=" in word]
    command = [*PYTHON, "-m", "hpc_dl", "submit", str(recipes.path(target.job)), "--sweep"]
    command += [*words, f"name=verify-{name}", f"sweep.seeds={seeds}", *own]
    command += ["--follow", "--json", *(["--local"] if args.local else [])]
    command += ["--site", args.site] if args.site else []
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise UserError(
            f"{name} was not trained with {seeds} seeds: see above",
            hint="`hpcdl verify` again resumes it.",
            exit_code=done.returncode,
        )
    sweep = SweepDir(Path(json.loads(done.stdout)["path"]))
    return [sweep.run(number + 1) for number in range(seeds)]


def _real_frechet(run: RunDir) -> float:
    """Return the Fréchet distance between real images, with the run's classifier."""
    command = [*PYTHON, "-m", "hpc_dl.verify.real_frechet", str(run.path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.split()[-1])


def _listing(chosen: Iterable[Target]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("recipe", "target", "seeds", "command"):
        table.add_column(title, overflow="fold")
    for target in chosen:
        checks = "\n".join(map(_describe, target.checks))
        cells = (target.name, checks, str(target.seeds), target.command)
        table.add_row(*map(Text, cells))
    return table


def _describe(check: Check) -> str:
    goals = [_format_goal(check.at, goal) for goal in check.described_goals]
    return f"{check.metric} {' and '.join(goals)}"


def _table(found: Iterable[Result]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("recipe", "metric", "reached", "target", "", "seeds", "minutes", "device"):
        table.add_column(title, overflow="fold")
    for it in found:
        mark = {True: ("met", "green"), False: ("missed", "bold red"), None: ("", "")}[it.met]
        spread = f" ± {it.deviation:.2g}" if len(it.values) > 1 else ""
        cells = (it.recipe, it.metric, f"{it.mean:.5g}{spread}", _format_goal(it.at, it.goal))
        ends = (str(len(it.values)), f"{it.minutes:.3g}", it.device)
        table.add_row(*map(Text, cells), Text(*mark), *map(Text, ends))
    return table


def _format_goal(at: str, goal: float | str | None) -> str:
    if goal is None:
        return ""
    shown = goal if isinstance(goal, str) else f"{goal:.5g}"
    return f"{'>=' if at == 'least' else '<='} {shown}"
