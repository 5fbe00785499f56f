"""Splits of tensors that a user's function returns, checked; see `user_source`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from hpc_dl.data import validation
from hpc_dl.data.arrays import classes
from hpc_dl.data.arrays.class_names import rename
from hpc_dl.data.arrays.groups import check_groups
from hpc_dl.data.dataset import Split, Tensors
from hpc_dl.data.labels import Classes, note_constant_targets, note_similar_names
from hpc_dl.data.layout import channels_last, note_time_axis
from hpc_dl.data.source import Loaded
from hpc_dl.data.splits.counts import Holdout, split_facts
from hpc_dl.data.splits.holdout import Array, number_groups, refuse_shared
from hpc_dl.data.user_functions.returned import kind_of, way_from
from hpc_dl.data.user_functions.tensors import to_array, to_tensor
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts, Modality

SPLITS = ("train", "validation", "test")
KEYS = ("image", "sequence", "table", "label", "target", "group")
_REGRESS = "To predict numbers, return `target` in place of `label`."


def read(returned: Mapping[str, Any], where: str, holdout: Holdout) -> Loaded:
    """Return the facts and the splits that a function returned, whose name is `where`.

    Raises UserError for what is not as `user_source` describes it.
    """
    validation.refuse_unknown_names(returned, (*SPLITS, "classes", "targets"), where)
    there = {n: _check_split(returned[n], f"{where}: {n}") for n in SPLITS if n in returned}
    given, notes = _to_channels_first(there, where)
    group = _take_groups(given, where)
    kind, answer = _kind_and_answer(given, where)
    found, about = _answers(returned, given, answer, where)
    answers = {name: tensors[answer] for name, tensors in given.items()}
    groups = None if group is None else group.numpy()
    shape = tuple(given["train"][kind].shape[1:])
    if answer == "label":
        sizes = split_facts(answers, found, holdout, groups)
        facts = DataFacts.of(kind, "classify", shape, found, **sizes)
    else:
        sizes = split_facts(answers, (), holdout, groups)
        facts = DataFacts.of(kind, "regress", shape, (), targets=found, **sizes)
    validation.refuse_constant(given["train"][kind], f"{where}: train: {kind}")
    if kind == "image":
        validation.refuse_dark(given["train"]["image"], f"{where}: train: image")
    splits = {name: Split(tensors) for name, tensors in given.items()}
    if group is not None:
        splits["train"].tensors["group"] = group
    return replace(facts, notes=(*notes, *about)), splits


def _kind_and_answer(given: Mapping[str, Tensors], where: str) -> tuple[Modality, str]:
    """Return what the examples are, and what is predicted. Raises UserError where splits differ."""
    kind, answer = cast(Modality, next(iter(given["train"]))), list(given["train"])[1]
    if any(list(tensors) != [kind, answer] for tensors in given.values()):
        raise UserError(f"{where}: the splits differ in what they are of: {kind}, {answer}")
    shapes = {tuple(tensors[kind].shape[1:]) for tensors in given.values()}
    if len(shapes) > 1:
        raise UserError(f"{where}: the splits' {kind}s differ in shape: {sorted(shapes)}")
    return kind, answer


def _answers(
    returned: Mapping[str, Any], given: dict[str, dict[str, Any]], answer: str, where: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the classes or the targets, and notes; labels become classes from 0."""
    if answer == "target":
        names = _target_names(returned, given, where)
        train = given["train"]["target"].numpy()
        return names, tuple(note_constant_targets(train, names, f"{where}: train: target"))
    found = _classes({name: it["label"] for name, it in given.items()}, returned, where)
    for name, labels in found.labels.items():
        given[name]["label"] = torch.from_numpy(labels.astype(np.int64, copy=False))
    notes = (*found.notes, *note_similar_names(found.names))  # of words they are there already
    return found.names, tuple(dict.fromkeys(notes))


def _classes(labels: dict[str, Array], returned: Mapping[str, Any], where: str) -> Classes:
    found = classes.convert(labels, {it: f"{where}: {it}: label" for it in labels}, _REGRESS)
    if returned.get("classes") is None:
        return found
    names = _names(returned["classes"], f"{where}: classes")
    words = labels["train"].dtype.kind in "OSU"
    return rename(found, names, words=words, where=f"{where}: classes")


def _target_names(
    returned: Mapping[str, Any], given: Mapping[str, Tensors], where: str
) -> tuple[str, ...]:
    widths = {tensors["target"].shape[1] for tensors in given.values()}
    named = returned.get("targets")
    if isinstance(named, str):
        named = [named]
    names = [f"y{n}" for n in range(max(widths))] if named is None else named
    found = tuple(_names(names, f"{where}: targets"))
    if widths != {len(found)}:
        there = " or ".join(map(str, sorted(widths)))
        raise UserError(f"{where}: {len(found)} targets are named, but there are {there}")
    return found


def _names(given: Any, where: str) -> list[str]:
    """Return a list of different names. Raises UserError for anything else."""
    if isinstance(given, str | Mapping | Set) or not isinstance(given, Iterable):
        raise UserError(
            f"{where} has to be a list of names, but is {kind_of(given)}",
            hint="A set has no order, which names need." if isinstance(given, Set) else "",
        )
    names = [str(it) for it in given]
    if len(set(names)) < len(names):
        raise UserError(f"{where}: two have the same name: {', '.join(names)}")
    return names


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


def _check_split(tensors: Any, where: str) -> dict[str, Any]:
    """Return a split's checked tensors: the examples first, then their targets, or their labels as
    they are."""
    if not isinstance(tensors, Mapping):
        raise UserError(
            f"{where} has to be {_WANTED}, but is {kind_of(tensors)}",
            hint="Leave it out." if tensors is None else way_from(tensors),
        )
    validation.refuse_unknown_names(tensors, KEYS, where)
    kinds, answers = set(tensors) & set(validation.AXES), set(tensors) & {"label", "target"}
    if len(kinds) != 1 or len(answers) != 1:
        raise UserError(f"{where} has to be {_WANTED}, but is {kind_of(tensors)}")
    (kind,), (answer,) = kinds, answers
    given = to_tensor(tensors[kind], f"{where}: {kind}")
    if given.ndim and not len(given):
        raise UserError(f"{where} has no example", hint="Leave out a split that is empty.")
    examples = validation.check_examples(given, kind, where)
    check = _check_labels if answer == "label" else _check_targets
    checked = {kind: examples, answer: check(tensors[answer], len(examples), where)}
    if "group" in tensors:
        checked["group"] = _check_group(tensors["group"], len(examples), f"{where}: group")
    return checked


_WANTED = (
    "a mapping of 'image', 'sequence' or 'table', and 'label' or 'target'; and 'group', if "
    "examples are to stay together"
)


def _check_labels(given: Any, count: int, where: str) -> Array:
    """Return a label of any type for each of `count` examples, (count,) or (count, classes)."""
    label = to_array(given, f"{where}: label")
    if label.ndim not in (1, 2) or len(label) != count:
        raise UserError(
            f"{where}: label is {label.shape} {label.dtype}, but has to be {count} integers"
        )
    return label[:, 0] if label.ndim == 2 and label.shape[1] == 1 else label


def _check_targets(given: Any, count: int, where: str) -> Tensor:
    return validation.check_targets(to_tensor(given, f"{where}: target"), count, where)


def _take_groups(given: Mapping[str, dict[str, Any]], where: str) -> Tensor | None:
    """Remove the groups from all splits, and return those of `train` as numbers (N,) int64.

    Raises UserError for one that is in another split, too, and where `train` alone has none.
    """
    found = {name: tensors.pop("group") for name, tensors in given.items() if "group" in tensors}
    if "train" not in found:
        if found:
            raise UserError(f"{where}: train has no group, but {' and '.join(found)} has")
        return None
    for name in found.keys() - {"train"}:
        train, others = found["train"].tolist(), found[name].tolist()
        refuse_shared(train, others, name, f"{where}: group")
    return torch.from_numpy(number_groups(found["train"]))


def _check_group(given: Any, count: int, where: str) -> Array:
    """Return the checked groups of a split's examples, (count,) whole numbers or words."""
    group = to_array(given, where)
    group = group[:, 0] if group.shape == (count, 1) else group
    if group.shape != (count,) or group.dtype.kind not in "iubUSO":
        raise UserError(
            f"{where} is {group.shape} {group.dtype}, but has to be {count} integers or words"
        )
    return check_groups(group, where)
