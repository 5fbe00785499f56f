"""What is known of the examples of a file without reading them: their answers and groups. Light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hpc_dl.data.arrays import answers, classes, examples
from hpc_dl.data.arrays.class_names import read_names, rename_enumerated
from hpc_dl.data.arrays.files import array_names, place
from hpc_dl.data.arrays.groups import read_groups
from hpc_dl.data.arrays.stored import KEY, Array, StoredArray
from hpc_dl.data.faults import Faults
from hpc_dl.data.labels import note_constant_targets
from hpc_dl.jobspec.sources.arrays import Arrays

File = Mapping[str, StoredArray]


@dataclass(frozen=True)
class Known:
    """The classes or the targets of the examples of each split, and the groups to train on."""

    answers: Mapping[str, Array]
    """Of each split: the number of the class (N,), or targets (N, targets)."""
    classes: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    groups: Array | None = None

    def arrays(self, split: str) -> dict[str, Array]:
        """Return what is known of the examples of a split, by the names that tensors have."""
        found = {"target" if self.targets else "label": self.answers[split]}
        if self.groups is not None and split == "train":
            found["group"] = self.groups
        return found


def read_known(source: Arrays, file: File) -> Known:
    """Read the answers and groups, and check that the arrays of a file fit together.

    Raises UserError with all faults.
    """
    inputs = {split: file[name] for split, (name, _) in array_names(source).items()}
    faults = Faults(f"{KEY}: {source.path}")
    for split, array in inputs.items():
        with faults.collect():
            examples.refuse_type(source, array, place(source, split, "inputs"))
            examples.refuse_first_scale(source, array, place(source, split, "inputs"))
    if not all(array.shape for array in inputs.values()):
        faults.refuse()  # nothing fits a single value
    with faults.collect():
        examples.refuse_differing(source, inputs)
    groups = None
    if source.groups:
        with faults.collect():
            groups = read_groups(file[source.groups], source.groups, inputs["train"].shape[0])
    with faults.collect():
        found = _answers(source, file, inputs)
    faults.refuse()
    idle = ("data.groups has no effect: validation and test are arrays of their own",)
    notes = (*found.notes, *idle * (bool(source.groups) and len(inputs) == 3))
    return replace(found, groups=groups, notes=notes)


def _answers(source: Arrays, file: File, inputs: File) -> Known:
    """Read the class or the targets of each example. Raises UserError with all faults."""
    given, faults = {}, Faults("data.labels")
    for split, (_, name) in array_names(source).items():
        where, shape = place(source, split, "labels"), inputs[split].shape
        with faults.collect():
            count = answers.count_labels(file[name], shape[0], where)
            with faults.collect():
                examples.refuse_other_count(source, shape, count, split)
            given[split] = answers.read(source.task, file[name], count, where)
    faults.refuse()
    places = {split: place(source, split, "labels") for split in given}
    if source.task == "regress":
        names = answers.name_targets(source.labels, given)
        notes = note_constant_targets(given["train"], names, places["train"])
        columns = {split: it.reshape(len(it), -1) for split, it in given.items()}
        return Known(columns, targets=names, notes=tuple(notes))
    called = read_names(source, file)
    found = classes.read(given, places, called)
    if not called:
        found = rename_enumerated(found, file[source.labels].dtype)
    return Known(found.labels, classes=found.names, notes=found.notes)
