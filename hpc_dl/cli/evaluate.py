"""`hpcdl evaluate`: how good a trained network is on other data."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.cli import trained_model
from hpc_dl.errors import UserError

if TYPE_CHECKING:
    from rich.table import Table

    from hpc_dl.data.source import Source
    from hpc_dl.jobspec.data import Data
    from hpc_dl.jobspec.facts import DataFacts
    from hpc_dl.run.layout import RunDir

HELP = """Measure the network of a completed run on other data, with the metrics of its test.
Classes, tokens and columns are those of the training: nothing is fitted anew. The result is written
to the run folder, below evaluations/, and to MLflow as a child of the run."""
SPLITS = ("test", "validation", "train", "all")
_DRAWING = (
    "validation",
    "test",
    "split_seed",
    "stratify",
    "folds",
    "fold",
    "groups",
    "include_classes",
)
"""Options that decide which examples are drawn for the test."""
_OF_TRAINING = ("batch_size", "augment", "by_length", "tokens", "vocabulary")
"""Options that were settled by the training."""


def configure(parser: argparse.ArgumentParser) -> None:
    trained_model.add_model(parser)
    parser.add_argument(
        "overrides",
        metavar="key=value",
        nargs="*",
        default=[],
        help="options of the data in place of those of the run, like data.root=DIR or "
        "data.name=cifar10",
    )
    parser.add_argument(
        "--split",
        choices=SPLITS,
        help="which examples; `test` if unset, but `all` of other data without a test of their own",
    )
    parser.add_argument(
        "--slurm",
        action="store_true",
        help="as a job of Slurm, with the resources of the run; resources.time=00:10:00 changes "
        "them",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from hpc_dl.cli import job_request
    from hpc_dl.data import changes
    from hpc_dl.data.source import Fitted
    from hpc_dl.planning.plan import Plan
    from hpc_dl.run import layout, records

    asked, resources = _divide(args)
    export, trained = trained_model.find_of_run(args, ", whose training is evaluated")
    facts = records.load(trained.plan, Plan).facts
    spec, source = job_request.read_source(
        trained.spec, asked, args.site, trained.code, Fitted(facts, export / "assets")
    )
    if any(it.startswith("data.name=") for it in asked):
        changes.refuse_other_kind(facts, spec.data)
    if args.slurm:
        return _submit(args, trained, spec.data, asked, resources)
    with layout.writing_as(trained):
        return _evaluate(args, trained, source, asked)


def _divide(args: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Return the options of the data and those of the job."""
    resources = [it for it in args.overrides if it.startswith("resources.")]
    asked = [it for it in args.overrides if it not in resources]
    if resources and not args.slurm:
        raise UserError(f"{resources[0].partition('=')[0]} is of a job: add --slurm")
    for word in asked:
        key = word.partition("=")[0]
        if not key.startswith("data."):
            raise UserError(
                f"'{word}' is no option of the data: the network stays as it was trained",
                hint="Write data.NAME=value: data.root=DIR.",
            )
        if key.removeprefix("data.") in _OF_TRAINING:
            raise UserError(f"{key} was settled by the training, and changes nothing here")
    return asked, resources


def _submit(
    args: argparse.Namespace, trained: RunDir, data: Data, asked: list[str], resources: list[str]
) -> int:
    """Submit the same command as a job, with absolute paths."""
    import json

    from hpc_dl.cli import slurm_task

    paths = data.model_dump(include=set(data.paths))
    words = []
    for word in asked:
        key = word.partition("=")[0]
        path = paths.get(key.removeprefix("data."))
        words.append(word if path is None else f"{key}={json.dumps(path)}")
    command = [
        "evaluate",
        str(trained.path),
        *words,
        *([f"--split={args.split}"] if args.split else []),
    ]
    job = slurm_task.submit(trained, args.site, command, resources)
    sys.stdout.write(f"Slurm job {job.job_id}: {trained.evaluations} at its end; log: {job.log}\n")
    return 0


def _evaluate(
    args: argparse.Namespace, trained: RunDir, source: Source[Any], asked: list[str]
) -> int:
    from hpc_dl.cli import common, summary
    from hpc_dl.data import changes, fingerprint
    from hpc_dl.planning.plan import Plan
    from hpc_dl.run import evaluations, records

    of_run, plan = records.load_spec(trained), records.load(trained.plan, Plan)
    facts = source.describe()
    changes.refuse_misfit(plan.facts, facts)
    now = fingerprint.take(source, of_run.model, facts)
    is_own = _shares_files(trained, now.parts) or source.options == of_run.data
    if is_own:
        _refuse_other_draw(source.options, of_run.data, facts)
    split = args.split or ("all" if not is_own and "test" in (facts.drawn or ()) else "test")
    before = summary.summarise(trained)
    options = source.options.model_dump(mode="json", exclude=source.options.loading_options)
    name = evaluations.name_of(options, split, now.digest)
    folder = evaluations.folder_of(trained, name)
    measured = _measure(trained, source, facts, split, before.step, folder)
    test = {
        key.removeprefix("test/"): value
        for key, value in before.values.items()
        if key.startswith("test/")
    }
    found = {
        "run": trained.id,
        "name": name,
        "data": options,
        "split": split,
        "examples": measured.examples,
        "own_data": is_own,
        "metrics": common.finite(measured.metrics),
        "weights": before.weights.to_json() if before.weights else None,
        "fingerprint": now.digest,
    }
    file = evaluations.save(trained, name, found)
    step = before.weights.step if before.weights else before.step
    mlflow_id = _send(trained, name, options, measured.metrics, step, [file, *measured.files])
    if args.json:
        common.print_json({**found, "test": test, "folder": str(folder), "mlflow_run": mlflow_id})
        return 0
    console = common.console()
    paths = [str(options[key]) for key in source.options.paths if options.get(key)]
    on = " ".join([str(options["name"]), *paths])
    described = _described(split, facts, measured.examples)
    console.print(f"{trained.id} on {on}: {described}", soft_wrap=True)
    if is_own and split in ("train", "all"):
        console.print("these are among the examples that it was trained on", style="yellow")
    console.print(_table(measured.metrics, test))
    console.print(f"folder  {folder}", soft_wrap=True)
    return 0


def _shares_files(trained: RunDir, parts: Mapping[str, str]) -> bool:
    """Return whether some of the data are files that the run was trained on."""
    from hpc_dl.data.fingerprint import Fingerprint
    from hpc_dl.run import records

    then = records.find(trained.fingerprint, Fingerprint)
    known = {it for name, it in (then.parts if then else {}).items() if _is_data(name)}
    return any(it in known for name, it in parts.items() if _is_data(name))


def _is_data(name: str) -> bool:
    return not name.startswith(("model.", "initial"))


def _refuse_other_draw(here: Data, trained: Data, facts: DataFacts) -> None:
    """Raise UserError where the same examples are divided otherwise than for the training."""
    if "test" not in (facts.drawn or ()):
        return
    for key in _DRAWING:
        if getattr(here, key, None) != getattr(trained, key, None):
            raise UserError(
                f"data.{key} draws other examples of the same data for the test, and some of them "
                "were trained on",
                hint="Leave it out, or name other data.",
            )


def _measure(
    trained: RunDir, source: Source[Any], facts: DataFacts, split: str, step: int, folder: Path
) -> Any:
    from hpc_dl.cli.job_request import this_machine
    from hpc_dl.planning import data_loading
    from hpc_dl.predictor.bulk import device
    from hpc_dl.run import records
    from hpc_dl.train import other_data

    chosen, machine = device(), this_machine()
    spec = records.load_spec(trained).model_copy(update={"data": source.options})
    ranks = _OneRank(int(chosen.type != "cpu"), machine.cpus)
    loading = data_loading.choose(spec, facts, ranks, machine.memory)
    return other_data.measure(trained, source, split, step, chosen, loading.workers, folder)


@dataclass(frozen=True)
class _OneRank:
    """The one rank of an evaluation."""

    gpus_per_node: int
    cpus_per_task: int
    tasks_per_node: int = 1


def _send(
    trained: RunDir,
    name: str,
    options: Mapping[str, Any],
    metrics: Mapping[str, float],
    step: int,
    files: list[Path],
) -> str | None:
    """Send the evaluation to MLflow, and return the id of its run; None, with a warning, where the
    store does not take it."""
    from hpc_dl.jobspec.flat import flatten
    from hpc_dl.tracking import evaluation, store_uri

    uri = store_uri.load(trained)
    assert uri is not None  # it has a plan
    try:
        data = {key: str(value) for key, value in flatten({"data": options})}
        values = {f"test/{key}": value for key, value in metrics.items()}
        return evaluation.send(trained, uri, name, data, values, step, files)
    except UserError as error:
        sys.stderr.write(
            f"warning: not in MLflow: {error.message}; the same command sends it again\n"
        )
        return None


def _described(split: str, facts: DataFacts, examples: int) -> str:
    if split == "all":
        return f"all {examples} examples"
    drawn = ", drawn from those to train on" if split in (facts.drawn or ()) else ""
    return f"{examples} examples of the {split} split{drawn}"


def _table(metrics: Mapping[str, float], test: Mapping[str, float | str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from hpc_dl.run.monitor import short

    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("", "here", "its own test"):
        table.add_column(title, justify="right" if title else "left")
    for name in dict.fromkeys([*metrics, *test]):
        cells = [short(it[name]) if name in it else "" for it in (metrics, test)]
        table.add_row(Text(name), *cells)
    return table
