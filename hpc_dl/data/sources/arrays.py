"""Arrays in NumPy's and HDF5 files: images, sequences or a table, with classes or numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hpc_dl.data import checked_files
from hpc_dl.data.arrays import chunks, examples
from hpc_dl.data.arrays.files import array_names, note_arrays, open_arrays, place
from hpc_dl.data.arrays.known import File, Known, read_known
from hpc_dl.data.arrays.stored import KEY, Array, StoredArray
from hpc_dl.data.faults import Faults
from hpc_dl.data.source import Loaded, Source
from hpc_dl.data.splits.counts import Holdout, split_facts
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.sources.arrays import Arrays, Hdf5

if TYPE_CHECKING:
    from torch import Tensor

RULE = "arrays 2"
"""Changes with what is checked of examples that are streamed."""
LARGE = 2**30
"""Bytes of examples that may well be streamed."""


class ArraySource(Source[Arrays]):
    """Arrays of which the first axis is the example; the examples are not read to describe it."""

    def describe(self) -> DataFacts:
        with open_arrays(self.options) as file:
            return _describe(self.options, file)[0]

    def load(self) -> Loaded:
        from hpc_dl.data.dataset import Split

        faults, splits = Faults(f"{KEY}: {self.options.path}"), {}
        with open_arrays(self.options) as file:
            facts, known = _describe(self.options, file)
            for split, (name, _) in array_names(self.options).items():
                with faults.collect():
                    inputs = _examples(self.options, file[name], split, facts)
                    splits[split] = {facts.modality: inputs} | _tensors(
                        self.options, known.arrays(split), split
                    )
        faults.refuse()
        return facts, {split: Split(tensors) for split, tensors in splits.items()}

    def stream(self, workers: int, *, check: bool = True) -> Loaded:
        from hpc_dl.data.arrays import streamed

        source, splits = self.options, {}
        with open_arrays(source) as file:
            facts, known = _describe(source, file)
            way = f"{RULE} {array_names(source)} {facts.modality} {source.missing}"
            if check:
                checked_files.check_once(
                    lambda: _check_streamed(source, file, facts),
                    way,
                    list(self.files().values()),
                    self.data_root / "cache",
                )
            for split, (name, _) in array_names(source).items():
                tensors = _tensors(source, known.arrays(split), split)
                splits[split] = streamed.split(source, facts, file[name], tensors, workers)
        return facts, splits

    def files(self) -> dict[str, Path]:
        found = super().files()
        if isinstance(self.options, Hdf5):
            from hpc_dl.data.arrays.parts import other_files

            with open_arrays(self.options) as file:
                for stored in file.values():
                    others = other_files(stored.held, stored.path)
                    found |= {f"{KEY}/{name}": other for name, other in others.items()}
        return found


def _describe(source: Arrays, file: File) -> tuple[DataFacts, Known]:
    """Return the facts, and what is known of the examples without reading them.

    Raises UserError for arrays that do not fit together.
    """
    known, inputs = read_known(source, file), file[source.inputs]
    kind = examples.kind_of(source, inputs.shape)
    shape, notes = examples.layout(source, inputs.shape, inputs.dtype)
    number = 1 if inputs.dtype == np.uint8 and kind == "image" else 4
    facts = DataFacts.of(
        kind,
        source.task,
        shape,
        known.classes,
        targets=known.targets,
        example_bytes=number * math.prod(shape),
        notes=(*note_arrays(source), *notes, *known.notes, *_note_chunks(source, inputs)),
        **split_facts(known.answers, known.classes, Holdout.of(source), known.groups),
    )
    return examples.with_gaps(facts, source), known


def _note_chunks(source: Arrays, inputs: StoredArray) -> tuple[str, ...]:
    """Note chunks of the training examples in HDF5 that make streaming slow."""
    if not isinstance(source, Hdf5):
        return ()
    size = math.prod(inputs.shape) * inputs.dtype.itemsize
    if source.loading == "streaming" or (source.loading == "auto" and size >= LARGE):
        return chunks.note_slow(inputs.held, place(source, "train", "inputs"))
    return ()


def _examples(source: Arrays, stored: StoredArray, split: str, facts: DataFacts) -> Tensor:
    """Read and check the examples of a split."""
    from hpc_dl.data import validation

    where = place(source, split, "inputs")
    given = validation.to_tensor(examples.arrange(source, stored[()]), where)
    return _check(source, stored, given, split, facts)


def _check_streamed(source: Arrays, file: File, facts: DataFacts) -> None:
    """Check all examples of a file, a part at a time."""
    from hpc_dl.data.arrays import streamed

    faults = Faults(f"{KEY}: {source.path}")
    for split, (name, _) in array_names(source).items():
        with faults.collect():
            where = place(source, split, "inputs")
            ends = streamed.read_ends(source, facts, file[name], where)
            _check(source, file[name], ends, split, facts)
    faults.refuse()


def _check(
    source: Arrays, stored: StoredArray, given: Tensor, split: str, facts: DataFacts
) -> Tensor:
    """Return checked examples of a split."""
    from hpc_dl.data import validation

    where = place(source, split, "inputs")
    found = validation.check_examples(
        given,
        facts.modality,
        where,
        examples.otherwise(source, stored.shape),
        gaps=facts.inputs[facts.modality].gaps,
    )
    if split == "train":
        validation.refuse_constant(found, where)
        if facts.modality == "image":
            validation.refuse_dark(found, where)
    return found


def _tensors(source: Arrays, arrays: Mapping[str, Array], split: str) -> dict[str, Tensor]:
    """Return what is known of the examples of a split as tensors, targets as floats."""
    from hpc_dl.data import validation

    where = place(source, split, "labels")
    found = {name: validation.to_tensor(array, where) for name, array in arrays.items()}
    if "target" in found:
        found["target"] = validation.check_targets(found["target"], len(found["target"]), where)
    return found
