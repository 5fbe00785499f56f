"""Zachary's karate club (1977) with the groups of Brandes et al. (2008), from torch_geometric."""

from __future__ import annotations

from hpc_dl.data.source import Loaded, Source, Staging
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.sources.karate import Karate

FACTS = DataFacts.of("graph", "classify_nodes", (34,), tuple("0123"), 4, 10, 20, undirected=True)
"""One member of each group is to train on; every third of the others is for the validation."""


class KarateSource(Source[Karate]):
    """The members of the club, which are the nodes of one graph."""

    def describe(self) -> DataFacts:
        return FACTS

    def load(self) -> Loaded:
        import torch
        from torch_geometric.datasets import KarateClub

        from hpc_dl.data.graphs import geometric

        graph = KarateClub()[0]
        others = (~graph.train_mask).nonzero()[:, 0]
        graph.val_mask, graph.test_mask = torch.zeros(2, graph.num_nodes, dtype=torch.bool)
        graph.val_mask[others[::3]] = True
        graph.test_mask[others] = ~graph.val_mask[others]
        return FACTS, geometric.from_nodes(graph, "karate")[1]

    def staging(self) -> Staging:
        return Staging("in torch_geometric", staged=True, examples=34)
