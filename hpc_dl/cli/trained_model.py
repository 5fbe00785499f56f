"""The trained network that RUN names: of a run, in a folder, or in an MLflow store."""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hpc_dl.cli import common
from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.planning import site as sites
from hpc_dl.planning.site import Site
from hpc_dl.planning.tracking_store import of_site
from hpc_dl.run import layout
from hpc_dl.run.layout import RunDir
from hpc_dl.status import Status, find_run, read_status

HELP = f"{common.RUN_HELP}; a folder `export`; runs:/RUN_ID/model or models:/NAME@ALIAS of MLflow"
_DESCRIPTION = "model.json"


class NotCompleted(UserError):
    """A run that is still to write its trained network."""

    def __init__(self, run: str, message: str, hint: str) -> None:
        super().__init__(message, hint=hint, exit_code=EXIT_FAILED)
        self.run = run


@dataclass(frozen=True)
class TrainedModel:
    """The folder of an export, and its run, if that is here."""

    export: Path
    run: RunDir | None = None


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the options RUN and --site."""
    parser.add_argument("word", metavar="RUN", help=HELP)
    parser.add_argument("--site", help="the site, by name or file (else $HPCDL_SITE)")


def find(args: argparse.Namespace, into: Path) -> TrainedModel:
    """Return the network that RUN names; one of a store is downloaded `into` a folder.

    Raises UserError where there is none, not yet, or where RUN names two.
    """
    return named(args.word, sites.load(args.site, os.environ), into)


def find_of_run(args: argparse.Namespace, why: str = "") -> tuple[Path, RunDir]:
    """Return the export that RUN names, and its run, which has to be here; `why` ends the sentence
    of the UserError otherwise."""
    with tempfile.TemporaryDirectory(prefix="hpcdl-") as folder:
        model = find(args, Path(folder))
    if model.run is None:
        raise UserError(
            f"{args.word} is no run on this machine{why}",
            hint="Give the run: `hpcdl status` lists them.",
        )
    return model.export, model.run


def named(word: str, site: Site, into: Path) -> TrainedModel:
    """Return the network that a word names on a site, as `find` does."""
    from hpc_dl.tracking import downloads

    root = sites.expand(site.run_root, os.environ)
    if downloads.is_address(word):
        from hpc_dl.tracking import store_uri

        store = store_uri.absolute(of_site(site, root), Path.cwd())
        return TrainedModel(downloads.download(word, store, into))
    folder = Path(word).expanduser()
    if os.sep in word or word in (".", "..", "~"):
        return _in_folder(folder)
    return _of_name(root, word, folder)


def _of_name(root: Path, word: str, folder: Path) -> TrainedModel:
    """Return the network of a run, or of a folder of that name in the working directory."""
    is_export = (folder / _DESCRIPTION).is_file()
    try:
        run = find_run(root, word)
    except UserError:
        if is_export:
            return _in_folder(folder)
        raise
    if is_export:
        raise UserError(
            f"'{word}' is the run {run.id}, and a folder with a trained network in it",
            hint=f"Write {run.path} or ./{word}.",
        )
    return _of_run(run, layout.list_runs(root, word))


def _in_folder(folder: Path) -> TrainedModel:
    if (folder / _DESCRIPTION).is_file():
        run = RunDir(folder.absolute().parent)
        return TrainedModel(folder, run if layout.is_run(run) else None)
    if (folder / "MLmodel").is_file():
        from hpc_dl.tracking import downloads

        return TrainedModel(downloads.export_in(folder, str(folder)))
    if layout.is_run(RunDir(folder.absolute())):
        return _of_run(RunDir(folder.absolute()), [])
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}", hint="`hpcdl status` lists the runs.")
    raise UserError(
        f"{folder} holds no trained network", hint="Give the folder `export` of a completed run."
    )


def _of_run(run: RunDir, same_name: list[RunDir]) -> TrainedModel:
    """Return the network of a run; `same_name` are the runs of the name that was asked for."""
    if (run.export / _DESCRIPTION).is_file():
        return TrainedModel(run.export, run)
    status = read_status(run)
    earlier = [it.id for it in same_name if (it.export / _DESCRIPTION).is_file()]
    message = f"{run.id} has no trained network{{}}: it is {_state(status)}"
    hint = f"{earlier[-1]} has one." if earlier else _advice(status)
    if status.active:
        raise NotCompleted(run.id, message.format(" yet"), hint)
    raise UserError(message.format(""), hint=hint, exit_code=EXIT_FAILED)


def _state(status: Status) -> str:
    progress = f", step {status.step} of {status.steps}" if status.active and status.step else ""
    return f"{status.state}{progress}" + (f" ({status.reason})" if status.reason else "")


def _advice(status: Status) -> str:
    if status.active:
        return f"It is written at the end; `hpcdl logs -f {status.id}` waits for that."
    if status.state == "completed":
        return f"Its folder `export` is gone: {status.path}/export."
    return f"`hpcdl resume {status.id}` trains it to the end."
