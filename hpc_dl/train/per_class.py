"""Tensors of networks with weights for each class, token or column of the data.

They are found by building the networks a second time, for one class more, on the meta device: their
shapes differ then.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.jobspec.model import Model
from hpc_dl.planning import warm_start
from hpc_dl.run.initial_weights import tensor_name
from hpc_dl.zoo import build


def named_tensors(networks: Mapping[str, nn.Module]) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of the networks' states by the names that they have in an export."""
    for player, network in networks.items():
        for key, tensor in network.state_dict().items():
            yield tensor_name(f"{player}/{key}"), tensor


def per_class_tensors(
    there: DataFacts | None, here: DataFacts, options: Model, code: Path
) -> dict[str, str]:
    """Return the tensors with weights for each class, token or column, where these are others than
    `there`, with the reason.

    Raises UserError where they cannot be told from the rest.
    """
    changed = warm_start.differences(there, here) if there else {}
    if not changed:
        return {}
    try:
        with torch.device("meta"):
            usual = _shapes(options, here, code)
            more = {it: _shapes(options, _with_one_more(here, it), code) for it in changed}
    except Exception as error:
        raise UserError(
            f"{' and '.join(changed.values())}; which weights of {options.name} belong to them is "
            f"not known, for it cannot be built with one more of them: {error}",
            hint="Save the weights that do not in a file of their own, and name that.",
        ) from error
    return {
        name: changed[feature]
        for feature, shapes in more.items()
        for name, shape in usual.items()
        if shapes.get(name) != shape
    }


def _shapes(options: Model, facts: DataFacts, code: Path) -> dict[str, torch.Size]:
    networks = build(options.without_paths(), facts, code).networks()
    return {name: tensor.shape for name, tensor in named_tensors(networks)}


def _with_one_more(facts: DataFacts, name: str) -> DataFacts:
    """Return the facts of data with one class, token or column more."""
    changed = {**facts.targets, **facts.inputs}[name].vocabulary

    def longer(features: Mapping[str, Feature]) -> dict[str, Feature]:
        return {
            key: _longer(it) if key == name or (changed and it.vocabulary == changed) else it
            for key, it in features.items()
        }

    return dataclasses.replace(facts, inputs=longer(facts.inputs), targets=longer(facts.targets))


def _longer(feature: Feature) -> Feature:
    """Return a feature with one more in its vocabulary, or with one more number."""
    words, shape = feature.vocabulary, feature.shape
    if feature.dtype == "float" and shape and shape[-1] is not None:
        shape = (*shape[:-1], shape[-1] + 1)
    return dataclasses.replace(feature, shape=shape, vocabulary=(*words, *words[-1:]))
