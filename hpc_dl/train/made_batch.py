"""A small batch of random examples in the form that a source's facts describe, to try code with."""

from __future__ import annotations

import torch
from torch import Tensor

from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.zoo.contract import Batch

LONGEST = 4096
"""Most steps of the sequences that are made."""


def make(facts: DataFacts, examples: int) -> Batch:
    """Return a batch of so many examples (see `hpc_dl.tasks.contract.Batch`), the last of which are
    shorter where lengths differ. It is the same each time."""
    generator = torch.Generator().manual_seed(0)
    features = {**facts.inputs, **facts.targets}
    rows = {"node": 2 * examples} if facts.modality == "graph" else {}
    batch: dict[str, Tensor] = {"index": torch.arange(examples)}
    for name, feature in features.items():
        batch |= _values(name, feature, rows.get(name, examples), generator)
    return batch | (_graph(facts, examples) if facts.modality == "graph" else {})


def _values(
    name: str, feature: Feature, count: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Return a tensor (count, ...), and its lengths where its examples differ in length."""
    longest = min(feature.longest, LONGEST)
    shape = (count, *(longest if axis is None else axis for axis in feature.shape))
    if feature.dtype == "float":
        values = torch.rand(shape, generator=generator, dtype=torch.float32)
    else:
        # Words with their spelling: letters are numbered apart, and the first ones both have.
        many = 2 if len(feature.shape) > 1 else len(feature.vocabulary)
        values = torch.randint(max(1, many), shape, generator=generator)
    if None not in feature.shape:
        return {name: values}
    lengths = torch.tensor([max(1, longest - number) for number in range(count)])
    padding = torch.arange(longest) >= lengths[:, None]
    values[padding] = 0
    return {name: values, f"{name}_length": lengths}


def _graph(facts: DataFacts, examples: int) -> dict[str, Tensor]:
    """Return edges, and the examples: nodes of one graph, or graphs of two nodes."""
    node = torch.arange(2 * examples)
    edge = torch.stack([node, node.view(-1, 2).flip(1).flatten()])
    number = torch.arange(examples)
    if facts.task == "classify_nodes":
        return {"edge": edge, "at": number}
    return {"edge": edge, "graph": node // 2, "graphs": number, "at": number}
