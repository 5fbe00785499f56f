"""Arrays in files: which there are, of what shape, and what is said of the examples.

Light: without torch, and without reading the examples themselves.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from hpc_dl.data import holdout
from hpc_dl.data.counts import Holdout, group_count, split_counts
from hpc_dl.errors import UserError
from hpc_dl.spec.data import DataFacts
from hpc_dl.spec.model import Kind
from hpc_dl.spec.sources import Arrays, Npz

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
KINDS: dict[int, Kind] = {2: "table", 3: "image", 4: "image"}
CHANNELS = (1, 3, 4)


class Packed:
    """An array in a file of numpy's, of which the shape can be had without the rest."""

    def __init__(self, file: Any, name: str) -> None:
        self.file, self.name = file, name

    @property
    def shape(self) -> tuple[int, ...]:
        form = np.lib.format
        with self.file.zip.open(f"{self.name}.npy") as member:
            first = form.read_magic(member) == (1, 0)
            read = form.read_array_header_1_0 if first else form.read_array_header_2_0
            return tuple(read(member)[0])

    def __getitem__(self, key: Any) -> Array:
        found: Array = self.file[self.name][key]
        return found


def facts(source: Arrays) -> DataFacts:
    """What a plan needs to know. Raises UserError for arrays that are not there or do not fit."""
    with opened(source) as file:
        shapes = {name: file[inputs].shape for name, (inputs, _) in names(source).items()}
        said = {name: np.asarray(file[labels][()]) for name, (_, labels) in names(source).items()}
        groups = groups_of(source, file, shapes["train"][0]) if source.groups else None
    kind, example = _kind(source, shapes["train"]), _example(source, shapes["train"])
    for name, shape in shapes.items():
        if _example(source, shape) != example:
            raise UserError(f"data.path: examples of {name} are {shape[1:]}, others {example}")
        if not len(said[name]) == shape[0] > 0:
            raise UserError(
                f"data.path: {shape[0]} examples to {name}, and {len(said[name])} labels"
            )
    there = {name: shape[0] for name, shape in shapes.items()}
    sizes, count = split_counts(there, Holdout.of(source), groups), group_count(groups)
    if source.task == "regress":
        width = said["train"].reshape(len(said["train"]), -1).shape[1]
        several = tuple(f"{source.labels}{n}" for n in range(width))
        targets = (source.labels,) if width == 1 else several
        return DataFacts(kind, "regress", example, (), *sizes, targets=targets, groups=count)
    for labels in said.values():
        _refuse_no_labels(source, labels)
    last = max(int(labels.max()) for labels in said.values())
    classes = tuple(map(str, range(last + 1)))
    return DataFacts(kind, "classify", example, classes, *sizes, groups=count)


def names(source: Arrays) -> dict[str, tuple[str, str]]:
    """The arrays of each split: of its examples, and of what is said of them."""
    given = {"train": (source.inputs, source.labels)}
    if source.test_inputs and source.test_labels:
        given["test"] = (source.test_inputs, source.test_labels)
    return given


def groups_of(source: Arrays, file: Mapping[str, Any], count: int) -> Array:
    """Which of the `count` training examples are to stay together, (N,) int64."""
    assert source.groups is not None
    found = np.asarray(file[source.groups][()])
    if found.shape != (count,):
        raise UserError(
            f"data.groups: '{source.groups}' is {found.shape}, but has to be one value for each of "
            f"{count} examples"
        )
    return holdout.codes(found)


@contextlib.contextmanager
def opened(source: Arrays) -> Iterator[Mapping[str, Any]]:
    """The arrays that a source names; each is read when it is indexed."""
    path = Path(source.path).expanduser()
    if not path.is_file():
        raise UserError(f"data.path: there is no file {path}")
    try:
        with _open(source, path) as file:
            wanted = [name for pair in names(source).values() for name in pair]
            wanted += [source.groups] if source.groups else []
            for name in wanted:
                if name not in file:
                    raise _absent(name, list(file), path)
            yield {
                name: Packed(file, name) if isinstance(source, Npz) else file[name]
                for name in wanted
            }
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"data.path: {path} is no readable {source.name}: {error}") from None


def as_examples(source: Arrays, array: Array) -> Array:
    """Images as (N, C, H, W), from grey ones or such with the channels last; all else as it is."""
    if _kind(source, array.shape) != "image":
        return array
    if array.ndim == 3:
        return array[:, None]
    return np.moveaxis(array, -1, 1) if _channels_last(array.shape) else array


def _open(source: Arrays, path: Path) -> Any:
    if isinstance(source, Npz):
        found = np.load(path, allow_pickle=False)
        if not isinstance(found, np.lib.npyio.NpzFile):
            raise UserError(f"data.path: {path} is a single array; save it by numpy.savez")
        return found
    import h5py

    return h5py.File(path, "r")


def _absent(name: str, there: list[str], path: Path) -> UserError:
    near = get_close_matches(name, there, 3)
    guess = f"Did you mean {' or '.join(near)}?" if near else f"It has: {', '.join(there)}."
    return UserError(
        f"data.path: {path} has no array '{name}'",
        hint=f"{guess} data.inputs and data.labels name them.",
    )


def _kind(source: Arrays, shape: tuple[int, ...]) -> Kind:
    kind = source.kind or KINDS.get(len(shape))
    axes = {"table": (2,), "image": (3, 4), "sequence": (3,)}
    if kind is None or len(shape) not in axes[kind]:
        raise UserError(
            f"data.inputs: '{source.inputs}' is {shape}, which is no {kind or 'kind of example'}",
            hint="A table has 2 axes, sequences 3 (data.kind: sequence), images 3 or 4.",
        )
    return kind


def _example(source: Arrays, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of one example, as `as_examples` gives it."""
    if _kind(source, shape) != "image":
        return tuple(shape[1:])
    if len(shape) == 3:
        return (1, *shape[1:])
    return (shape[3], *shape[1:3]) if _channels_last(shape) else tuple(shape[1:])


def _channels_last(shape: tuple[int, ...]) -> bool:
    return shape[-1] in CHANNELS and shape[1] not in CHANNELS


def _refuse_no_labels(source: Arrays, labels: Array) -> None:
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise UserError(
            f"data.labels: '{source.labels}' is {labels.shape} {labels.dtype}, but classes are "
            "one integer for each example, from 0",
            hint="To foretell numbers: data.task: regress.",
        )
    if labels.min() < 0:
        raise UserError(f"data.labels: label {labels.min()} of example {labels.argmin()}")
