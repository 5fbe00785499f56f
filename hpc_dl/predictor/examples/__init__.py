"""Examples to predict, read part by part: from files, folders, tables, texts and arrays."""

from __future__ import annotations

from pathlib import Path

from hpc_dl.data.audio.folders import RECORDINGS
from hpc_dl.data.music.midi_folder import MIDI_FILES
from hpc_dl.data.pictures.folders import PICTURES
from hpc_dl.errors import UserError
from hpc_dl.predictor import Predictor
from hpc_dl.predictor.examples import arrays, files, series, tables, texts
from hpc_dl.predictor.examples.part import Examples

FORMS = {"image": PICTURES, "audio": RECORDINGS, "music": MIDI_FILES}
"""By modality, the form of the files that examples come in."""


def of(predictor: Predictor, path: Path, column: str | None, size: int) -> Examples:
    """Return the examples of a file or folder, in parts of `size`, as a network takes them.

    `column` names the column of a table, or the array of a file, that holds the examples where
    there are several. Raises UserError where there are none.
    """
    facts = predictor.architecture.facts
    if not path.exists():
        raise UserError(f"there is no file or folder {path}", hint=_hint(facts.modality))
    if path.suffix.lower() in arrays.SUFFIXES:
        return arrays.of(predictor, path, column, size)
    if facts.raw:
        _refuse_column(column)
        return tables.of(path, facts, size)
    if facts.modality == "text":
        return texts.of_path(path, column, size)
    if facts.task == "forecast":
        _refuse_column(column)
        return series.of(path, facts)
    _refuse_column(column)
    if facts.modality == "video":
        return files.of_clips(path, size)
    if facts.modality in FORMS:
        return files.of_folder(path, FORMS[facts.modality], size)
    raise UserError(
        f"{path}: the network was trained on arrays, {' and '.join(predictor.inputs)}",
        hint=f"Give a file of them: {' '.join(arrays.SUFFIXES)}.",
    )


def _refuse_column(column: str | None) -> None:
    if column is not None:
        raise UserError("--column is of files with several texts or arrays of an example")


def _hint(modality: str) -> str:
    return "--text 'not bad' predicts a text itself." if modality == "text" else ""
