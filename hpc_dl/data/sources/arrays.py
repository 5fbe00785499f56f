"""Arrays in NumPy's and HDF5 files: images, sequences or a table, with classes or numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from hpc_dl.data import checked_files
from hpc_dl.data.arrays import answers, chunks, classes, examples
from hpc_dl.data.arrays.class_names import read_names, rename_enumerated
from hpc_dl.data.arrays.files import array_names, note_arrays, open_arrays
from hpc_dl.data.arrays.groups import read_groups
from hpc_dl.data.arrays.stored import KEY, Array, StoredArray
from hpc_dl.data.faults import Faults
from hpc_dl.data.labels import note_constant_targets
from hpc_dl.data.source import Loaded, Source
from hpc_dl.data.splits.counts import Holdout, split_facts
from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.sources.arrays import Arrays, Hdf5

if TYPE_CHECKING:
    from torch import Tensor

File = Mapping[str, StoredArray]
RULE = "arrays 1"
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
                        self.options, known[split], split
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
                tensors = _tensors(source, known[split], split)
                splits[split] = streamed.split(source, facts, file[name], tensors, workers)
        return facts, splits

    def files(self) -> dict[str, Path]:
        found = super().files()
        if isinstance(self.options, Hdf5):
            from hpc_dl.data.arrays.hdf5 import part_names

            with open_arrays(self.options) as file:
                for stored in file.values():
                    folder, names = stored.path.parent, part_names(stored.held)
                    found |= {f"{KEY}/{name}": folder / name for name in names}
        return found


def _describe(source: Arrays, file: File) -> tuple[DataFacts, dict[str, dict[str, Array]]]:
    """Return the facts, and what is known of the examples of each split: a `label` (N,) or a
    `target` (N, targets), and maybe a `group` (N,).

    Raises UserError for arrays that do not fit together.
    """
    names = array_names(source)
    inputs = {split: file[name] for split, (name, _) in names.items()}
    shapes = {split: array.shape for split, array in inputs.items()}
    for split, array in inputs.items():
        examples.refuse_type(source, array, _place(source, split, "inputs"))
    kind = examples.kind_of(source, shapes["train"])
    labels = {split: file[name] for split, (_, name) in names.items()}
    places = {split: _place(source, split, "labels") for split in labels}
    counts = {
        split: answers.count_labels(array, shapes[split][0], places[split])
        for split, array in labels.items()
    }
    examples.refuse_differing(source, shapes, counts)
    for split, array in inputs.items():
        examples.refuse_first_scale(source, array, _place(source, split, "inputs"))
    shape, notes = examples.layout(source, shapes["train"], inputs["train"].dtype)
    found = _answers(source, file, counts, places)
    known = {split: next(iter(it.values())) for split, it in found.arrays.items()}
    groups = None
    if source.groups:
        groups = read_groups(file[source.groups], source.groups, counts["train"])
        found.arrays["train"]["group"] = groups
    number = 1 if inputs["train"].dtype == np.uint8 and kind == "image" else 4
    facts = DataFacts.of(
        kind,
        source.task,
        shape,
        found.classes,
        targets=found.targets,
        example_bytes=number * math.prod(shape),
        notes=(
            *note_arrays(source),
            *notes,
            *found.notes,
            *_note_chunks(source, inputs),
        ),
        **split_facts(known, found.classes, Holdout.of(source), groups),
    )
    return examples.with_gaps(facts, source), found.arrays


def _note_chunks(source: Arrays, inputs: File) -> Iterator[str]:
    """Note what the chunks of examples in HDF5 tell of them."""
    if not isinstance(source, Hdf5):
        return
    size = math.prod(inputs["train"].shape) * inputs["train"].dtype.itemsize
    if source.loading == "streaming" or (source.loading == "auto" and size >= LARGE):
        yield from chunks.note_slow(inputs["train"].held, _place(source, "train", "inputs"))


@dataclass(frozen=True)
class _Answers:
    """What is to be predicted of the examples of each split."""

    arrays: dict[str, dict[str, Array]]
    classes: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def _answers(
    source: Arrays, file: File, counts: Mapping[str, int], places: Mapping[str, str]
) -> _Answers:
    """Read the class or the regression targets of each example, of which `counts` says how many."""
    labels = {split: file[name] for split, (_, name) in array_names(source).items()}
    read = answers.read_targets if source.task == "regress" else answers.read_labels
    given = {split: read(it, counts[split], places[split]) for split, it in labels.items()}
    if source.task == "regress":
        names = answers.name_targets(source.labels, given)
        notes = note_constant_targets(given["train"], names, places["train"])
        columns = {split: it.reshape(len(it), -1) for split, it in given.items()}
        return _Answers({n: {"target": it} for n, it in columns.items()}, (), names, tuple(notes))
    called = read_names(source, file)
    found = classes.read(given, places, called)
    if not called:
        found = rename_enumerated(found, labels["train"].dtype)
    arrays = {split: {"label": it} for split, it in found.labels.items()}
    return _Answers(arrays, found.names, (), found.notes)


def _examples(source: Arrays, stored: StoredArray, split: str, facts: DataFacts) -> Tensor:
    """Read and check the examples of a split."""
    from hpc_dl.data import validation

    where = _place(source, split, "inputs")
    given = validation.to_tensor(examples.arrange(source, stored[()]), where)
    return _check(source, stored, given, split, facts)


def _check_streamed(source: Arrays, file: File, facts: DataFacts) -> None:
    """Check all examples of a file, a part at a time."""
    from hpc_dl.data.arrays import streamed

    faults = Faults(f"{KEY}: {source.path}")
    for split, (name, _) in array_names(source).items():
        with faults.collect():
            where = _place(source, split, "inputs")
            ends = streamed.read_ends(source, facts, file[name], where)
            _check(source, file[name], ends, split, facts)
    faults.refuse()


def _check(
    source: Arrays, stored: StoredArray, given: Tensor, split: str, facts: DataFacts
) -> Tensor:
    """Return checked examples of a split."""
    from hpc_dl.data import validation

    where = _place(source, split, "inputs")
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

    where = _place(source, split, "labels")
    found = {name: validation.to_tensor(array, where) for name, array in arrays.items()}
    if "target" in found:
        found["target"] = validation.check_targets(found["target"], len(found["target"]), where)
    return found


def _place(source: Arrays, split: str, key: Literal["inputs", "labels"]) -> str:
    """Return the option that names an array, and its name."""
    name = array_names(source)[split][key == "labels"]
    return f"data.{'' if split == 'train' else f'{split}_'}{key}: '{name}'"
