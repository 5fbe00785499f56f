"""Cora (McCallum et al., 2000; split by Yang, Cohen and Salakhutdinov, arXiv:1603.08861): the
layout is Planetoid's."""

from __future__ import annotations

from pathlib import Path

from hpc_dl.data.source import Loaded, Source, Staging
from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.sources.cora import Cora

PARTS = ("x", "tx", "allx", "y", "ty", "ally", "graph", "test.index")
FILES = tuple(f"ind.cora.{part}" for part in PARTS)
ORIGIN = "https://github.com/kimiyoung/planetoid/raw/master/data"
CLASSES = (
    "Theory",
    "Reinforcement learning",
    "Genetic algorithms",
    "Neural networks",
    "Probabilistic methods",
    "Case-based",
    "Rule learning",
)
FACTS = DataFacts.of("graph", "classify_nodes", (1433,), CLASSES, 140, 500, 1000, undirected=True)
NODES = 2708


class CoraSource(Source[Cora]):
    """Papers that cite each other, which are the nodes of one graph."""

    @property
    def folder(self) -> Path:
        """The folder of the raw files."""
        root = self.options.root
        return (Path(root).expanduser() if root else self.data_root / "cora") / "Cora" / "raw"

    def describe(self) -> DataFacts:
        if absent := self._absent():
            raise UserError(
                f"cora is not staged: no {absent[0]} in {self.folder}",
                hint=f"Put {', '.join(FILES)} there, from {ORIGIN}",
            )
        return FACTS

    def load(self) -> Loaded:
        from torch_geometric.io import read_planetoid_data

        from hpc_dl.data.graphs import geometric

        try:
            graph = read_planetoid_data(str(self.folder), "cora")  # writes nothing beside them
            facts, splits = geometric.from_nodes(graph, "cora")
        except (OSError, EOFError, ValueError, IndexError, RuntimeError) as error:
            raise UserError(f"cora: the files in {self.folder} cannot be read: {error}") from None
        there = (graph.num_nodes, facts.shape, facts.train, facts.validation, facts.test)
        if there != (NODES, FACTS.shape, FACTS.train, FACTS.validation, FACTS.test):
            raise UserError(f"cora: the files in {self.folder} are those of another graph: {graph}")
        return FACTS, splits

    def files(self) -> dict[str, Path]:
        return {name: self.folder / name for name in FILES}

    def staging(self) -> Staging:
        examples = FACTS.train + FACTS.validation + FACTS.test
        return Staging(str(self.folder), not self._absent(), examples)

    def _absent(self) -> list[str]:
        """Return the files that are missing or empty."""
        there = {path.name for path in self.folder.glob("ind.cora.*") if path.stat().st_size}
        return [file for file in FILES if file not in there]
