"""Cora's files (McCallum et al., 2000; split by Yang, Cohen and Salakhutdinov, arXiv:1603.08861):
where they lie, whether all are there, and what is in them. Light; the layout is Planetoid's."""

from __future__ import annotations

from pathlib import Path

from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.sources import Cora

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


def folder(source: Cora, data_root: Path) -> Path:
    """The folder of the raw files."""
    root = Path(source.root).expanduser() if source.root else data_root / "cora"
    return root / "Cora" / "raw"


def missing(place: Path) -> list[str]:
    """The files that are not in the folder, or empty."""
    there = {path.name for path in place.glob("ind.cora.*") if path.stat().st_size}
    return [file for file in FILES if file not in there]


def check(source: Cora, data_root: Path) -> None:
    """Raise UserError, with what to do about it, unless Cora is staged."""
    place = folder(source, data_root)
    if absent := missing(place):
        raise UserError(
            f"cora is not staged: no {absent[0]} in {place}",
            hint=f"Put {', '.join(FILES)} there, from {ORIGIN}",
        )
