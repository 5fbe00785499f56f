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

from hpc_dl.data import validation
from hpc_dl.data.counts import Holdout, split_facts
from hpc_dl.data.dataset import Split, Tensors
from hpc_dl.data.graphs import geometric
from hpc_dl.data.holdout import Array, refuse_shared
from hpc_dl.data.labels import note_constant_targets, note_similar_names
from hpc_dl.data.layout import channels_last, note_time_axis
from hpc_dl.data.source import Loaded
from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.model import Modality
from hpc_dl.jobspec.sources.user import UserData
from hpc_dl.user_code import load_object

SPLITS = ("train", "validation", "test")


def load(source: UserData, code: Path) -> Loaded:
    """Call the user's function, and check what it returns.

    Raises UserError, naming the function, for what is not as described above.
    """
    returned = load_object(source.name, code)(**source.options)
    if geometric.is_graph(returned):
        return geometric.from_graphs(returned, source.name, Holdout.of(source))
    if not isinstance(returned, Mapping) or "train" not in returned:
        raise UserError(f"{source.name} has to return a mapping with 'train'")
    validation.refuse_unknown_names(returned, (*SPLITS, "classes", "targets"), source.name)
    given, notes = _to_channels_first(
        {n: _check_split(returned[n], f"{source.name}: {n}") for n in SPLITS if n in returned},
        source.name,
    )
    group = _take_groups(given, source.name)
    groups = None if group is None else group.numpy()
    facts = _facts(returned, given, Holdout.of(source), groups, source.name)
    about = note_similar_names(facts.classes)
    if facts.target_names:
        known = given["train"]["target"].numpy()
        about = tuple(
            note_constant_targets(known, facts.target_names, f"{source.name}: train: target")
        )
    facts = replace(facts, notes=(*notes, *about))
    splits = {name: Split(tensors) for name, tensors in given.items()}
    validation.refuse_constant(
        given["train"][facts.modality], f"{source.name}: train: {facts.modality}"
    )
    if facts.modality == "image":
        validation.refuse_dark(given["train"]["image"], f"{source.name}: train: image")
    if group is not None:
        splits["train"].tensors["group"] = group
    return facts, splits


def _to_channels_first(
    given: Mapping[str, Tensors], where: str
) -> tuple[dict[str, dict[str, Tensor]], tuple[str, ...]]:
    """Return the splits with images as (N, C, H, W), and notes for the plan."""
    there = {name: dict(tensors) for name, tensors in given.items()}
    if "sequence" in there["train"]:
        return there, note_time_axis(tuple(there["train"]["sequence"].shape), f"{where}: sequence")
    if "image" not in there["train"]:
        return there, ()
    last, notes = channels_last(tuple(there["train"]["image"].shape), f"{where}: image")
    if last:
        for tensors in there.values():
            tensors["image"] = tensors["image"].movedim(-1, 1)
    return there, notes


def _facts(
    returned: Mapping[str, Any],
    given: Mapping[str, Tensors],
    holdout: Holdout,
    groups: Array | None,
    where: str,
) -> DataFacts:
    """Return the facts of splits. Raises UserError where they do not go together."""
    kind, answer = cast(Modality, next(iter(given["train"]))), list(given["train"])[1]
    if any(list(tensors) != [kind, answer] for tensors in given.values()):
        raise UserError(f"{where}: the splits differ in what they are of: {kind}, {answer}")
    shapes = {tuple(tensors[kind].shape[1:]) for tensors in given.values()}
    if len(shapes) > 1:
        raise UserError(f"{where}: the splits' {kind}s differ in shape: {sorted(shapes)}")
    answers = {name: tensors[answer] for name, tensors in given.items()}
    if answer == "target":
        widths = {tensors["target"].shape[1] for tensors in given.values()}
        names = tuple(map(str, returned.get("targets", [f"y{n}" for n in range(max(widths))])))
        if widths != {len(names)}:
            raise UserError(f"{where}: {len(names)} targets are named, but there are {widths}")
        sizes = split_facts(answers, (), holdout, groups)
        return DataFacts.of(kind, "regress", shapes.pop(), (), targets=names, **sizes)
    last = max(int(labels.max()) for labels in answers.values())
    classes = tuple(map(str, returned.get("classes", range(last + 1))))
    if last >= len(classes):
        raise UserError(f"{where}: label {last} with {len(classes)} classes")
    if len(set(classes)) < len(classes):
        raise UserError(f"{where}: two classes have the same name: {', '.join(classes)}")
    sizes = split_facts(answers, classes, holdout, groups)
    return DataFacts.of(kind, "classify", shapes.pop(), classes, **sizes)


def _check_split(tensors: Any, where: str) -> dict[str, Tensor]:
    """Return a split's checked tensors: the examples first, then their labels or targets."""
    names = set(tensors) if isinstance(tensors, Mapping) else set()
    kinds, answers = names & set(validation.AXES), names & {"label", "target"}
    if len(kinds) != 1 or len(answers) != 1 or names - {"group"} != kinds | answers:
        raise UserError(
            f"{where} has to be a mapping of 'image', 'sequence' or 'table', and 'label' or "
            "'target'; and 'group', if examples are to stay together"
        )
    (kind,), (answer,) = kinds, answers
    given, about = (
        validation.to_tensor(tensors[name], f"{where}: {name}") for name in (kind, answer)
    )
    examples = validation.check_examples(given, kind, where)
    check = validation.check_labels if answer == "label" else validation.check_targets
    checked = {kind: examples, answer: check(about, len(examples), where)}
    if "group" in names:
        checked["group"] = _check_group(tensors["group"], len(examples), f"{where}: group")
    return checked


def _take_groups(given: Mapping[str, dict[str, Tensor]], where: str) -> Tensor | None:
    """Remove the groups from all splits, and return those of `train` as numbers (N,) int64.

    Raises UserError for one that is in another split, too.
    """
    found = {name: tensors.pop("group") for name, tensors in given.items() if "group" in tensors}
    if "train" not in found:
        return None
    for name in found.keys() - {"train"}:
        train, others = found["train"].tolist(), found[name].tolist()
        refuse_shared(train, others, name, f"{where}: group")
    return torch.unique(found["train"], return_inverse=True)[1]


def _check_group(given: Any, count: int, where: str) -> Tensor:
    """Return the checked groups of a split's examples, (count,) integers."""
    group = validation.to_tensor(given, where)
    if group.shape != (count,) or group.is_floating_point():
        raise UserError(
            f"{where} is {tuple(group.shape)} {group.dtype}, but has to be {count} integers"
        )
    return group
