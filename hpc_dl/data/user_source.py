"""A user's own source: a function that returns tensors, or graphs.

    def my_dataset(**options):
        return {"train": {"image": images, "label": labels}, "test": {...}, "classes": names}

Examples are an `image`, (N, C, H, W) or with 1, 3 or 4 channels last, uint8 or float in [0, 1]; a
`sequence`, (N, T, F); or a `table`, (N, columns). What is to be predicted is a `label`, (N,)
integers from 0, or a `target`, (N,) or (N, targets) floats. `validation`, `test`, `classes` (or
`targets`, the names of the numbers) may be left out, and missing splits are taken from `train` by
`data.split_seed`. A `group` beside the examples of `train`, (N,) integers, says which of them are
to stay in the same split.

Instead it may return a Data of torch_geometric, whose nodes are the examples (`train_mask`,
`val_mask` and `test_mask` divide them), a list of Data, or lists by split.

Options are what the spec says beside the keys of every source. The function runs on every rank
and at submission, and has to return the same each time: random numbers need a seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from hpc_dl.data import holdout, validation
from hpc_dl.data.counts import Holdout, group_count, split_counts
from hpc_dl.data.dataset import Split, Tensors
from hpc_dl.data.graphs import geometric
from hpc_dl.data.labels import note_constant_targets, note_similar_names
from hpc_dl.data.layout import channels_last, of_sequence
from hpc_dl.data.source import Loaded
from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.model import Kind
from hpc_dl.jobspec.sources.user import OwnData
from hpc_dl.user_code import load_object

SPLITS = ("train", "validation", "test")


def load(source: OwnData, code: Path) -> Loaded:
    """Call the user's function: what is known of its examples, and the splits that it gives.

    Raises UserError, naming the function, for what is not as described above.
    """
    said = load_object(source.name, code)(**source.options)
    if geometric.is_graph(said):
        return geometric.of(said, source.name, Holdout.of(source))
    if not isinstance(said, Mapping) or "train" not in said:
        raise UserError(f"{source.name} has to return a mapping with 'train'")
    validation.known_names(said, (*SPLITS, "classes", "targets"), source.name)
    given, notes = _channels_first(
        {name: _checked(said[name], f"{source.name}: {name}") for name in SPLITS if name in said},
        source.name,
    )
    there = {name: len(next(iter(tensors.values()))) for name, tensors in given.items()}
    group = _groups(given, source.name)
    groups = None if group is None else group.numpy()
    sizes = split_counts(there, Holdout.of(source), groups)
    facts = _facts(said, given, sizes, source.name)
    about = note_similar_names(facts.classes)
    if facts.targets:
        known = given["train"]["target"].numpy()
        about = tuple(note_constant_targets(known, facts.targets, f"{source.name}: train: target"))
    facts = replace(facts, groups=group_count(groups), notes=(*notes, *about))
    splits = {name: Split(tensors) for name, tensors in given.items()}
    validation.varied(given["train"][facts.kind], f"{source.name}: train: {facts.kind}")
    if facts.kind == "image":
        validation.bright(given["train"]["image"], f"{source.name}: train: image")
    validation.every_class_is_trained_on(splits["train"], facts)
    if group is not None:
        splits["train"].tensors["group"] = group
    return facts, splits


def _channels_first(
    given: Mapping[str, Tensors], where: str
) -> tuple[dict[str, dict[str, Tensor]], tuple[str, ...]]:
    """Images as (N, C, H, W) in every split, and notes for the plan; all else as it is."""
    there = {name: dict(tensors) for name, tensors in given.items()}
    if "sequence" in there["train"]:
        return there, of_sequence(tuple(there["train"]["sequence"].shape), f"{where}: sequence")
    if "image" not in there["train"]:
        return there, ()
    last, notes = channels_last(tuple(there["train"]["image"].shape), f"{where}: image")
    if last:
        for tensors in there.values():
            tensors["image"] = tensors["image"].movedim(-1, 1)
    return there, notes


def _facts(
    said: Mapping[str, Any], given: Mapping[str, Tensors], sizes: tuple[int, int, int], where: str
) -> DataFacts:
    """What is known of splits that are right by themselves: whether they are so together."""
    kind, judged = cast(Kind, next(iter(given["train"]))), list(given["train"])[1]
    if any(list(tensors) != [kind, judged] for tensors in given.values()):
        raise UserError(f"{where}: the splits differ in what they are of: {kind}, {judged}")
    shapes = {tuple(tensors[kind].shape[1:]) for tensors in given.values()}
    if len(shapes) > 1:
        raise UserError(f"{where}: the splits' {kind}s differ in shape: {sorted(shapes)}")
    if judged == "target":
        widths = {tensors["target"].shape[1] for tensors in given.values()}
        names = tuple(map(str, said.get("targets", [f"y{n}" for n in range(max(widths))])))
        if widths != {len(names)}:
            raise UserError(f"{where}: {len(names)} targets are named, but there are {widths}")
        return DataFacts(kind, "regress", shapes.pop(), (), *sizes, targets=names)
    last = max(int(tensors["label"].max()) for tensors in given.values())
    classes = tuple(map(str, said.get("classes", range(last + 1))))
    if last >= len(classes):
        raise UserError(f"{where}: label {last} with {len(classes)} classes")
    if len(set(classes)) < len(classes):
        raise UserError(f"{where}: two classes have the same name: {', '.join(classes)}")
    return DataFacts(kind, "classify", shapes.pop(), classes, *sizes)


def _checked(tensors: Any, where: str) -> dict[str, Tensor]:
    """A split as the rest of hpcdl wants it: the kind first, then what is said of the examples."""
    names = set(tensors) if isinstance(tensors, Mapping) else set()
    kinds, judged = names & set(validation.AXES), names & {"label", "target"}
    if len(kinds) != 1 or len(judged) != 1 or names - {"group"} != kinds | judged:
        raise UserError(
            f"{where} has to be a mapping of 'image', 'sequence' or 'table', and 'label' or "
            "'target'; and 'group', if examples are to stay together"
        )
    (kind,), (said,) = kinds, judged
    given, about = (validation.tensor(tensors[name], f"{where}: {name}") for name in (kind, said))
    examples = validation.examples(given, kind, where)
    check = validation.labels if said == "label" else validation.targets
    checked = {kind: examples, said: check(about, len(examples), where)}
    if "group" in names:
        checked["group"] = _group(tensors["group"], len(examples), f"{where}: group")
    return checked


def _groups(given: Mapping[str, dict[str, Tensor]], where: str) -> Tensor | None:
    """Take the groups out of all splits: a number for each different one of `train`, (N,) int64.

    Raises UserError for one that is in another split, too.
    """
    found = {name: tensors.pop("group") for name, tensors in given.items() if "group" in tensors}
    if "train" not in found:
        return None
    for name in found.keys() - {"train"}:
        train, others = found["train"].tolist(), found[name].tolist()
        holdout.refuse_shared(train, others, name, f"{where}: group")
    return torch.unique(found["train"], return_inverse=True)[1]


def _group(given: Any, count: int, where: str) -> Tensor:
    """The groups of a split's examples, (count,) of integers."""
    group = validation.tensor(given, where)
    if group.shape != (count,) or group.is_floating_point():
        raise UserError(
            f"{where} is {tuple(group.shape)} {group.dtype}, but has to be {count} integers"
        )
    return group
