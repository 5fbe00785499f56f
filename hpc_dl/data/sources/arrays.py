"""Arrays in NumPy's and HDF5 files: images, sequences or a table, with classes or numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hpc_dl.data import holdout
from hpc_dl.data.arrays import classes, hdf5_files
from hpc_dl.data.arrays.files import Array, array_names, note_unread_arrays, open_arrays
from hpc_dl.data.counts import Holdout, group_count, split_counts
from hpc_dl.data.labels import note_constant_targets
from hpc_dl.data.layout import channels_last, note_time_axis
from hpc_dl.data.source import Loaded, Source
from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.model import Modality
from hpc_dl.jobspec.sources.arrays import Arrays, Hdf5, Npz

if TYPE_CHECKING:
    import torch

    from hpc_dl.data.dataset import Tensors

KINDS: dict[int, Modality] = {2: "table", 3: "image", 4: "image"}
LARGE = 2**30
"""Bytes of an array that may be streamed."""
_AXES = {"table": (2,), "image": (3, 4), "sequence": (3,)}


class ArraySource(Source[Arrays]):
    """Arrays of which the first axis is the example; the examples are not read to describe it."""

    def describe(self) -> DataFacts:
        return facts(self.options)

    def load(self) -> Loaded:
        from hpc_dl.data.dataset import Split

        known = facts(self.options)
        return known, {name: Split(it) for name, it in _tensors(self.options, known).items()}

    def stream(self, workers: int) -> Loaded:
        from hpc_dl.data.arrays import streamed

        known = facts(self.options)
        with open_arrays(self.options) as file:
            answers = _answers(self.options, known, file)
        files = list(self.files().values())
        streamed.check(self.options, known, files, self.data_root / "cache")
        return known, streamed.splits(self.options, known, answers, workers)

    def files(self) -> dict[str, Path]:
        found = super().files()
        if isinstance(self.options, Hdf5):
            with open_arrays(self.options) as file:
                for array in file.values():
                    others = hdf5_files.other_files(array).items()
                    found |= {f"data.path/{name}": path for name, path in others}
        return found


def facts(source: Arrays) -> DataFacts:
    """Return the facts. Raises UserError for arrays that are not there or do not fit together."""
    with open_arrays(source) as file:
        inputs = {split: file[name] for split, (name, _) in array_names(source).items()}
        shapes = {split: tuple(array.shape or ()) for split, array in inputs.items()}
        kind = _kind(source, shapes["train"])
        for split, array in inputs.items():
            _refuse_other_than_numbers(kind, array.dtype, _place(source, split, "inputs"))
        given = _labels(source, file)
        groups = read_groups(source, file, shapes["train"][0]) if source.groups else None
        slow = _note_slow(source, inputs["train"])
    _refuse_differing(shapes, given)
    example, notes = _example(source, kind, shapes["train"], inputs["train"].dtype)
    there = {split: shape[0] for split, shape in shapes.items()}
    sizes, count = split_counts(there, Holdout.of(source), groups), group_count(groups)
    notes = (*note_unread_arrays(source), *notes, *slow)
    width = 1 if inputs["train"].dtype == np.uint8 and kind == "image" else 4
    more: dict[str, Any] = {"groups": count, "example_bytes": width * math.prod(example)}
    if source.task == "regress":
        targets = _targets(source, given)
        notes = (
            *notes,
            *note_constant_targets(given["train"], targets, _place(source, "train", "labels")),
        )
        return DataFacts.of(
            kind, "regress", example, (), *sizes, targets=targets, notes=notes, **more
        )
    found = classes.read(given, _places(source))
    notes = (*notes, *found.notes)
    return DataFacts.of(kind, "classify", example, found.names, *sizes, notes=notes, **more)


def _note_slow(source: Arrays, array: Any) -> tuple[str, ...]:
    """Note what makes it slow to stream an array in HDF5, if that is likely."""
    if not isinstance(source, Hdf5) or source.loading == "resident":
        return ()
    if source.loading == "auto" and array.nbytes < LARGE:
        return ()
    return tuple(hdf5_files.note_slow_chunks(array, _place(source, "train", "inputs")))


def read_groups(source: Arrays, file: Mapping[str, Any], count: int) -> Array:
    """Return the groups of the `count` training examples, (N,) int64."""
    assert source.groups is not None
    found = np.asarray(file[source.groups][()])
    if found.shape != (count,):
        raise UserError(
            f"data.groups: '{source.groups}' is {found.shape}, but has to be one value for each of "
            f"{count} examples"
        )
    if found.dtype.kind in "SUO":
        named = np.array([_word(it) for it in found.tolist()])
        missing = named == ""
    else:
        named, missing = found, np.isnan(found)
    if missing.any():
        raise UserError(
            f"data.groups: '{source.groups}'[{int(missing.argmax())}], a group, is missing",
            hint="Fill it in, or leave the example out.",
        )
    return holdout.number_groups(named)


def _word(said: Any) -> str:
    """Return an element as a word, without blanks around it."""
    return (said.decode(errors="replace") if isinstance(said, bytes) else str(said)).strip()


def as_examples(source: Arrays, array: Array) -> Array:
    """Return images as (N, C, H, W), with channels for grey ones; other examples as they are."""
    kind = _kind(source, array.shape)
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    if native.dtype.kind == "f" and native.dtype.itemsize > 8:
        native = native.astype(np.float64)
    if kind != "image":
        return native
    if native.ndim == 3:
        return native[:, None]
    last, _ = channels_last(native.shape, f"data.inputs: '{source.inputs}'")
    return np.moveaxis(native, -1, 1) if last else native


def as_labels(source: Arrays, file: Mapping[str, Any]) -> dict[str, Array]:
    """Return the classes of each split from 0, (N,) int64, or the regression targets."""
    given = _labels(source, file)
    if source.task == "regress":
        return given
    return classes.read(given, _places(source)).labels


def _place(source: Arrays, split: str, key: Literal["inputs", "labels"]) -> str:
    """Return the option that names an array, and its name."""
    name = array_names(source)[split][key == "labels"]
    return f"data.{'' if split == 'train' else f'{split}_'}{key}: '{name}'"


def _places(source: Arrays) -> dict[str, str]:
    """Return the option and the array of the labels of each split."""
    return {split: _place(source, split, "labels") for split in array_names(source)}


def _kind(source: Arrays, shape: tuple[int, ...]) -> Modality:
    kind = source.kind or KINDS.get(len(shape))
    if kind is None or len(shape) not in _AXES[kind]:
        raise UserError(
            f"data.inputs: '{source.inputs}' is {shape}, which is no {kind or 'kind of example'}",
            hint="A table has 2 axes, sequences 3 (data.kind: sequence), images 3 or 4.",
        )
    return kind


def _refuse_other_than_numbers(kind: Modality, dtype: np.dtype[Any], where: str) -> None:
    """Raise UserError for a type that examples of a kind cannot be of."""
    if dtype.kind == "O":
        raise UserError(f"{where} holds Python objects", hint="Save it as an array of numbers.")
    if dtype.kind not in "iufb":
        raise UserError(f"{where} is {dtype}, but examples are real numbers")
    if kind == "image" and dtype.kind in "iu" and dtype != np.uint8:
        raise UserError(
            f"{where} is {dtype}, but images are bytes (uint8), or floats in [0, 1]",
            hint="Bytes: x.astype('uint8'); 16 bits: (x / 65535).astype('float32').",
        )


def _refuse_differing(shapes: Mapping[str, tuple[int, ...]], given: Mapping[str, Array]) -> None:
    """Raise UserError for splits that differ in their examples, or have other than one label."""
    example = shapes["train"][1:]
    for split, shape in shapes.items():
        if shape[1:] != example:
            raise UserError(f"data.path: examples of {split} are {shape[1:]}, others {example}")
        labels = given[split].shape[0] if given[split].ndim else 0
        if labels != shape[0]:
            place = shape.index(labels) if labels in shape else 0
            raise UserError(
                f"data.path: {shape[0]} examples to {split}, and {labels} labels",
                hint="The first axis has to be the example"
                + (f": numpy.moveaxis(x, {place}, 0)." if place else "."),
            )
        if 0 in shape:
            raise UserError(f"data.path: the examples to {split} are {shape}: there are none")


def _example(
    source: Arrays, kind: Modality, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the shape of one example, as `as_examples` gives it, and notes on how it is read."""
    where = f"'{source.inputs}'"
    if kind == "sequence":
        return shape[1:], note_time_axis(shape, where)
    if kind != "image":
        return shape[1:], ()
    if len(shape) == 3:
        note = f"{where} is read as grey images of {shape[1]} x {shape[2]} pixels"
        unsure = source.kind is None and dtype != np.uint8
        return (1, *shape[1:]), (f"{note}; data.kind: sequence is for sequences",) * unsure
    last, notes = channels_last(shape, f"data.inputs: {where}")
    return ((shape[3], *shape[1:3]) if last else shape[1:]), notes


def _labels(source: Arrays, file: Mapping[str, Any]) -> dict[str, Array]:
    """Read the labels of each split as they are in the file."""
    found = {}
    for split, (_, name) in array_names(source).items():
        if isinstance(source, Npz) and file[name].dtype.kind == "O":
            raise UserError(
                f"{_place(source, split, 'labels')} holds Python objects",
                hint="Save words by numpy.array(y, dtype=str), numbers as numbers.",
            )
        found[split] = np.asarray(file[name][()])
    return found


def _targets(source: Arrays, given: Mapping[str, Array]) -> tuple[str, ...]:
    """Return the names of the regression targets. Raises UserError where there are none."""
    widths = set()
    for split, array in given.items():
        where = _place(source, split, "labels")
        if array.ndim > 2 or array.dtype.kind not in "iufb" or array.size == 0:
            raise UserError(
                f"{where} is {array.shape} {array.dtype}, but numbers to predict are (N,) or "
                "(N, targets)"
            )
        if (bad := np.argwhere(~np.isfinite(array))).size:
            place = tuple(bad[0].tolist())
            raise UserError(f"{where}{list(place)} is {array[place]:g}", hint="Leave it out.")
        widths.add(array.reshape(len(array), -1).shape[1])
    if len(widths) > 1:
        raise UserError(f"data.labels: the splits have {' and '.join(map(str, widths))} targets")
    width = widths.pop()
    return (source.labels,) if width == 1 else tuple(f"{source.labels}{n}" for n in range(width))


def _tensors(source: Arrays, facts: DataFacts) -> Mapping[str, Tensors]:
    """Read and check all arrays of the file."""
    from hpc_dl.data import validation

    splits = {}
    with open_arrays(source) as file:
        for name, known in _answers(source, facts, file).items():
            inputs, _ = array_names(source)[name]
            array, where = (
                as_examples(source, file[inputs][()]),
                f"data.path: {source.path}: {inputs}",
            )
            given = validation.to_tensor(array, where)
            examples = validation.check_examples(given, facts.modality, where)
            if name == "train":
                validation.refuse_constant(examples, where)
                if facts.modality == "image":
                    validation.refuse_dark(examples, where)
            splits[name] = {facts.modality: examples, **known}
    return splits


def _answers(
    source: Arrays, facts: DataFacts, file: Mapping[str, Any]
) -> Mapping[str, dict[str, torch.Tensor]]:
    """Read and check the labels or targets of each split, and the groups."""
    import torch

    from hpc_dl.data import validation

    labels, found = as_labels(source, file), {}
    for name, (inputs, named) in array_names(source).items():
        where, count = f"data.path: {source.path}: {named}", file[inputs].shape[0]
        known = validation.to_tensor(labels[name], where)
        found[name] = (
            {"target": validation.check_targets(known, count, where)}
            if facts.task == "regress"
            else {"label": validation.check_labels(known, count, where)}
        )
    if source.groups:
        groups = read_groups(source, file, file[source.inputs].shape[0])
        found["train"]["group"] = torch.from_numpy(groups)
    return found
