"""`hpcdl predict`: what a trained network says of new examples."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.cli import out_file, progress, trained_model, words
from hpc_dl.errors import UserError

if TYPE_CHECKING:
    from hpc_dl.predictor import Predictor
    from hpc_dl.predictor.bulk import Counts, Report
    from hpc_dl.predictor.examples.part import Examples
    from hpc_dl.predictor.results.writer import Writer

HELP = "Predict new examples by a trained network: files, folders, tables, texts, arrays."
BATCH_SIZE, ROWS = 128, 8192
"""How many examples are predicted at once, and how many rows of a table."""


def configure(parser: argparse.ArgumentParser) -> None:
    trained_model.add_model(parser)
    parser.add_argument(
        "rest",
        metavar="INPUT",
        nargs="*",
        help="a folder of pictures, recordings or the like, or a file: a table, a text a line, "
        "arrays; then options of the prediction, key=value, such as beam=3",
    )
    parser.add_argument(
        "-o",
        "--out",
        metavar="OUT",
        type=Path,
        help="a file, by its suffix in "
        "CSV, Parquet, npz or JSON lines; CSV on standard output if not given",
    )
    parser.add_argument("--force", action="store_true", help="replace OUT, if it is there")
    parser.add_argument(
        "--text", action="append", default=[], help="a text to predict, in the place of INPUT"
    )
    parser.add_argument("--column", help="the column or the array that holds the examples")
    parser.add_argument(
        "--probabilities", action="store_true", help="a column for the probability of each class"
    )
    parser.add_argument("--skip-broken", action="store_true", help="leave out what cannot be read")
    parser.add_argument(
        "--batch-size", type=int, help=f"examples at once ({BATCH_SIZE}, rows {ROWS})"
    )
    parser.add_argument(
        "--slurm",
        action="store_true",
        help="as a job of Slurm, with the resources of the run; resources.time=00:10:00 changes "
        "them",
    )
    parser.epilog = "Broken examples are named, each with its place; then nothing is written, and "
    parser.epilog += "the exit code is 2, unless they are skipped."


def run(args: argparse.Namespace) -> int:
    inputs, params = words.divide(args.rest)
    resources = {key: params.pop(key) for key in [*params] if key.startswith("resources.")}
    if resources and not args.slurm:
        raise UserError(f"{next(iter(resources))} is of a job: add --slurm")
    if len(inputs) + bool(args.text) != 1:
        raise UserError("INPUT is one file or folder, or --text gives texts")
    if args.batch_size is not None and args.batch_size < 1:
        raise UserError(f"--batch-size {args.batch_size}: at least one example")
    out_file.check(args.out, force=args.force, suffixes=out_file.TABLES)
    if args.slurm:
        return _submit(args, inputs, params, resources)
    with tempfile.TemporaryDirectory(prefix="hpcdl-") as folder:
        predictor = words.load(trained_model.find(args, Path(folder)), params)
        counts = _predict(args, predictor, inputs)
    _tell(args, counts)
    return 0


def _submit(
    args: argparse.Namespace,
    inputs: Sequence[str],
    params: dict[str, str],
    resources: dict[str, str],
) -> int:
    """Submit the same command as a job, with absolute paths."""
    from hpc_dl.cli import slurm_task
    from hpc_dl.data.faults import resolve_home

    if args.out is None:
        raise UserError("--slurm needs a file for the predictions: -o OUT")
    export, run = trained_model.find_of_run(args, ", whose resources --slurm takes")
    paths = [resolve_home("INPUT", it).absolute() for it in inputs]
    if absent := [it for it in paths if not it.exists()]:
        raise UserError(f"there is no file or folder {absent[0]}")
    out = args.out.absolute()
    command = ["predict", str(export.absolute()), *map(str, paths)]
    command += [f"{key}={value}" for key, value in params.items()]
    command += ["-o", str(out)]
    command += [f"--batch-size={args.batch_size}"] if args.batch_size else []
    command += [f"--text={it}" for it in args.text]
    command += [f"--column={args.column}"] if args.column else []
    for name in ("force", "probabilities", "skip_broken"):
        command += [f"--{name.replace('_', '-')}"] if getattr(args, name) else []
    overrides = [f"{key}={value}" for key, value in resources.items()]
    job = slurm_task.submit(run, args.site, command, overrides)
    sys.stdout.write(f"Slurm job {job.job_id}: {out} at its end; log: {job.log}\n")
    return 0


def _predict(args: argparse.Namespace, predictor: Predictor, inputs: Sequence[str]) -> Counts:
    from hpc_dl.cli.job_request import this_machine
    from hpc_dl.predictor import bulk

    examples = _examples(args, predictor, inputs)
    with _writer(args) as writer, progress.shown("examples", examples.total) as done, _warnings():
        return bulk.predict(
            predictor,
            examples,
            writer.write,
            _report(done),
            probabilities=args.probabilities,
            skip_broken=args.skip_broken,
            threads=this_machine().cpus,
        )


def _examples(args: argparse.Namespace, predictor: Predictor, inputs: Sequence[str]) -> Examples:
    from hpc_dl.data.faults import resolve_home
    from hpc_dl.predictor import examples, generation
    from hpc_dl.predictor.examples import texts

    facts = predictor.architecture.facts
    if generation.only_generates(predictor):
        raise UserError(
            f"{args.word} predicts nothing of examples: it makes new ones",
            hint=f"hpcdl generate {args.word}",
        )
    size = args.batch_size or (ROWS if facts.raw else BATCH_SIZE)
    if not args.text:
        return examples.of(predictor, resolve_home("INPUT", inputs[0]), args.column, size)
    if facts.modality != "text":
        raise UserError(f"--text: {args.word} was trained on {facts.modality}, not on texts")
    return texts.of_strings(args.text, size)


@contextlib.contextmanager
def _writer(args: argparse.Namespace) -> Iterator[Writer]:
    from hpc_dl.predictor import results
    from hpc_dl.predictor.results.csv_lines import CsvLines

    if args.out:
        with results.writing(args.out, force=args.force) as writer:
            yield writer
        return
    with (
        tempfile.TemporaryFile() as held
    ):  # nothing is printed of examples of which some are broken
        yield CsvLines(held)
        held.seek(0)
        sys.stdout.writelines(line.decode(errors="surrogateescape") for line in held)


def _report(done: Any) -> Report:
    from hpc_dl.predictor.bulk import Report

    noted: set[str] = set()

    def note(what: str) -> None:
        if what not in noted:
            noted.add(what)
            sys.stderr.write(f"note: {what}\n")

    return Report(done, lambda what: _say(f"broken: {what}"), note)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


@contextlib.contextmanager
def _warnings() -> Iterator[None]:
    """Print each warning as a line of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_, **__: _say(f"warning: {message}")
        yield


def _tell(args: argparse.Namespace, counts: Counts) -> None:
    """Print on standard error what was written, and what was not."""
    if counts.left_out and (args.out is None or args.out.suffix.lower() != ".npz"):
        _say(f"note: {', '.join(counts.left_out)} are arrays, which -o FILE.npz holds")
    if counts.broken:
        _say(f"{counts.broken} left out, for they cannot be read")
    if args.out:
        _say(f"{counts.predicted} predicted: {args.out}")
