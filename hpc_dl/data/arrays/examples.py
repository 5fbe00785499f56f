"""Examples in arrays: what kind they are, and how they are laid out. Light."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from hpc_dl.data.arrays.elements import refuse_no_numbers
from hpc_dl.data.arrays.files import place
from hpc_dl.data.arrays.stored import KEY, Array, StoredArray
from hpc_dl.data.faults import Faults
from hpc_dl.data.layout import channels_last, note_time_axis, refuse_scale
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts, Modality
from hpc_dl.jobspec.sources.arrays import Arrays

_KINDS: dict[int, Modality] = {2: "table", 3: "image", 4: "image"}
_AXES = {"table": (2,), "image": (3, 4), "sequence": (3,)}
MOST_SHOWN = 2**20
"""Bytes of the first examples that are looked at before a job is submitted."""
MOST_READ = 2**26
"""The most bytes that are decompressed for them."""


def kind_of(source: Arrays, shape: tuple[int, ...], where: str = "data.inputs") -> Modality:
    """Return what an example is. Raises UserError for arrays with other axes."""
    kind = source.kind or _KINDS.get(len(shape))
    if kind is None or len(shape) not in _AXES[kind]:
        more = _other_axes(kind, len(shape))
        raise UserError(
            f"{where} is {shape}, which is no {kind or 'kind of example'}",
            hint="A table has 2 axes, sequences 3 (data.kind: sequence), images 3 or 4." + more,
        )
    return kind


def _other_axes(kind: Modality | None, axes: int) -> str:
    """Return a hint on how to have the axes of a kind."""
    if axes == 1:
        return " One column: x[:, None]."
    if kind == "sequence" and axes == 2:
        return " One number a step: x[..., None]."
    if kind == "table" and axes > 2:
        return " Rows of all numbers: x.reshape(len(x), -1)."
    return " Volumes and videos are not supported." if axes > 4 else ""


def with_gaps(facts: DataFacts, source: Arrays) -> DataFacts:
    """Return facts that say whether numbers may be missing. Raises UserError but for tables."""
    if source.missing == "refuse":
        return facts
    if facts.modality != "table":
        raise UserError(
            f"data.missing: {source.missing} is for tables, and '{source.inputs}' is of "
            f"{facts.modality}s",
            hint="Fill them in, or leave the examples out.",
        )
    table = replace(facts.inputs["table"], gaps=True)
    note = "gaps in the table count as the mean of their column in the training examples"
    return replace(facts, inputs={"table": table}, notes=(*facts.notes, note))


def otherwise(source: Arrays, shape: tuple[int, ...]) -> str:
    """Return a hint for what could as well be sequences, and for tables that have gaps."""
    if _may_be_sequences(source, shape):
        return "Sequences (N, T, F): data.kind: sequence."
    return "Or data.missing: mean." if kind_of(source, shape) == "table" else ""


def _may_be_sequences(source: Arrays, shape: tuple[int, ...]) -> bool:
    """Return whether what is read as grey images could as well be sequences."""
    return source.kind is None and len(shape) == 3


def refuse_type(source: Arrays, array: StoredArray, where: str) -> None:
    """Raise UserError for a type that examples of a kind cannot be of, and where there are none."""
    if 0 in array.shape:
        raise UserError(f"{where} is {array.shape}: there are none")
    refuse_no_numbers(array.dtype, where, "x")
    pixels = kind_of(source, array.shape, where) == "image" and array.dtype.kind in "iu"
    if pixels and array.dtype != np.uint8:
        dtype = array.dtype.newbyteorder("=")
        ways = "Bytes: x.astype('uint8'); 16 bits: (x / 65535).astype('float32')."
        raise UserError(
            f"{where} is {dtype}, but images are bytes (uint8), or floats in [0, 1]",
            hint=f"{otherwise(source, array.shape)} {ways}".strip(),
        )


def refuse_first_scale(source: Arrays, stored: StoredArray, where: str) -> None:
    """Raise UserError where the first images are floats outside [0, 1]; a node looks at all."""
    row = math.prod(stored.shape[1:]) * stored.dtype.itemsize
    chunk = getattr(stored.held, "chunks", None) or (1,)
    is_image = kind_of(source, stored.shape) == "image"
    if not is_image or stored.dtype.kind != "f" or chunk[0] * row > MOST_READ:
        return
    first = stored[: max(1, MOST_SHOWN // row)]
    known = first[np.isfinite(first)]
    if known.size:
        shown = f"{where}: image, of the first {len(first)} examples,"
        more = otherwise(source, stored.shape)
        refuse_scale(float(known.min()), float(known.max()), shown, more)


def refuse_differing(source: Arrays, inputs: Mapping[str, StoredArray]) -> None:
    """Raise UserError for splits whose examples are of another shape than those to train."""
    example, faults = inputs["train"].shape[1:], Faults(KEY)
    for split, array in inputs.items():
        where, shape = place(source, split, "inputs"), array.shape[1:]
        with faults.collect():
            if shape != example:
                raise UserError(f"{where}: an example is {shape}, but {example} to train")
    faults.refuse()


def refuse_other_count(source: Arrays, shape: tuple[int, ...], labels: int, split: str) -> None:
    """Raise UserError for a split that has other than one label for each example."""
    if labels != shape[0]:
        raise UserError(
            f"{KEY}: {shape[0]} examples to {split}, and {labels} labels",
            hint=_hint_first_axis(shape, labels, matlab=source.path.endswith(".mat")),
        )


def _hint_first_axis(shape: tuple[int, ...], count: int, *, matlab: bool) -> str:
    """Return a hint on how to have the examples along the first axis."""
    place = shape.index(count) if count in shape else 0
    way = f": numpy.moveaxis(x, {place}, 0)" if place else ""
    if shape[:2] == (1, count):
        way = ": x[0]"
    more = " In MATLAB: permute(x, ndims(x):-1:1)." if matlab else ""
    return f"The first axis has to be the example{way}.{more}"


def layout(
    source: Arrays, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the shape of one example, as `arrange` gives it, and notes on how it is read."""
    kind, where = kind_of(source, shape), f"'{source.inputs}'"
    if kind == "sequence":
        return shape[1:], note_time_axis(shape, where)
    if kind != "image":
        return shape[1:], ()
    if len(shape) == 3:
        note = f"{where} is read as grey images of {shape[1]} x {shape[2]} pixels"
        unsure = _may_be_sequences(source, shape) and dtype != np.uint8
        return (1, *shape[1:]), (f"{note}; data.kind: sequence is for sequences",) * unsure
    last, notes = channels_last(shape, f"data.inputs: {where}")
    return ((shape[3], *shape[1:3]) if last else shape[1:]), notes


def arrange(source: Arrays, array: Array) -> Array:
    """Return images as (N, C, H, W), with channels for grey ones; other examples as they are."""
    if kind_of(source, array.shape) != "image":
        return array
    if array.ndim == 3:
        return array[:, None]
    last, _ = channels_last(array.shape, f"data.inputs: '{source.inputs}'")
    return np.moveaxis(array, -1, 1) if last else array
