"""Cora, Citeseer and Pubmed (Sen et al., 2008) in the split and the files of Planetoid (Yang, Cohen
and Salakhutdinov, arXiv:1603.08861)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.data.source import Loaded, Source, Staging
from hpc_dl.data.staging.staged import Sizes, StagedFiles
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.sources.planetoid import Citeseer, Cora, Pubmed

if TYPE_CHECKING:
    from torch_geometric.data import Data

ORIGIN = "https://raw.githubusercontent.com/kimiyoung/planetoid/master/data"
PARTS = ("x", "tx", "allx", "y", "ty", "ally", "graph", "test.index")


@dataclass(frozen=True)
class Graph:
    """A graph that goes by a name."""

    folder: str
    """The name of its folder, as torch_geometric's Planetoid makes it."""
    classes: tuple[str, ...]
    """In the order of their numbers, which the numbers of papers of each tell."""
    nodes: int
    features: int
    edges: int
    """Both directions of each."""
    sizes: tuple[int, ...] = ()
    """Bytes of the files of PARTS, where they are known."""
    validation: int = 500
    test: int = 1000
    train_of_class: int = 20

    @property
    def facts(self) -> DataFacts:
        sizes = (self.train_of_class * len(self.classes), self.validation, self.test)
        shape = (self.features,)
        return DataFacts.of("graph", "classify_nodes", shape, self.classes, *sizes, undirected=True)

    def refuse_another(self, graph: Data) -> None:
        """Raise ValueError for a graph that is not this one."""
        masks = (graph.train_mask, graph.val_mask, graph.test_mask)
        there = (*graph.x.shape, graph.edge_index.shape[1], *(int(it.sum()) for it in masks))
        facts = self.facts
        splits = (facts.train, facts.validation, facts.test)
        if there != (self.nodes, self.features, self.edges, *splits):
            raise ValueError(f"that is another graph, {graph}")


GRAPHS = {
    "cora": Graph(
        "Cora",
        (
            "Theory",
            "Reinforcement learning",
            "Genetic algorithms",
            "Neural networks",
            "Probabilistic methods",
            "Case-based",
            "Rule learning",
        ),
        nodes=2708,
        features=1433,
        edges=10556,
        sizes=(22119, 148025, 257305, 4054, 28135, 47959, 59847, 5000),
    ),
    "citeseer": Graph(
        "CiteSeer",
        ("AI", "ML", "IR", "DB", "Agents", "HCI"),
        nodes=3327,
        features=3703,
        edges=9104,
    ),
    "pubmed": Graph(
        "PubMed",
        ("Experimental", "Type 1", "Type 2"),
        nodes=19717,
        features=500,
        edges=88648,
    ),
}


class PlanetoidSource(StagedFiles, Source[Cora | Citeseer | Pubmed]):
    """Papers that cite each other, which are the nodes of one graph."""

    @property
    def graph(self) -> Graph:
        return GRAPHS[self.options.name]

    @property
    def folder(self) -> Path:
        """The folder of the raw files."""
        return self.root / self.graph.folder / "raw"

    def describe(self) -> DataFacts:
        self.refuse_absent(f", from {ORIGIN}")
        return self.graph.facts

    def load(self) -> Loaded:
        from hpc_dl.data.graphs import geometric

        name = self.options.name
        graph = self._read(self.folder)
        return self.graph.facts, geometric.from_nodes(graph, name)[1]

    def staging(self) -> Staging:
        facts = self.graph.facts
        examples = facts.train + facts.validation + facts.test
        return Staging(str(self.folder), not self.find_fault(), examples)

    @property
    def urls(self) -> Mapping[str, str]:
        return {file: f"{ORIGIN}/{file}" for file in self.sizes}

    def check(self, folder: Path) -> None:
        self._read(folder)

    def _read(self, folder: Path) -> Data:
        """Return the graph in a folder. Raises UserError where it is none, or another."""
        from hpc_dl.data.graphs import planetoid_files

        name = self.options.name
        graph = planetoid_files.read(folder, name)
        try:
            self.graph.refuse_another(graph)
        except ValueError as error:
            raise UserError(f"data.name: {name}: the files in {folder}: {error}") from None
        return graph

    @property
    def sizes(self) -> Sizes:
        sizes = self.graph.sizes or (None,) * len(PARTS)
        files = (f"ind.{self.options.name}.{part}" for part in PARTS)
        return dict(zip(files, sizes, strict=True))
