"""What `hpcdl data list` says of each source. Light."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hpc_dl.data import cora, idx, source_facts
from hpc_dl.jobspec.base import LIBRARIES
from hpc_dl.jobspec.data import Data, DataFacts
from hpc_dl.jobspec.sources import SOURCES, Cora


@dataclass(frozen=True)
class Listing:
    """One source. `examples` and `staged` are None where that is for the spec to say."""

    name: str
    kind: str
    task: str
    examples: int | None
    staged: bool | None
    where: str
    about: str


def listing(data_root: Path) -> list[Listing]:
    """All sources, and which of them are staged under `data_root`."""
    return [_line(name, source, data_root) for name, source in SOURCES.items()]


def _line(name: str, source: type[Data], data_root: Path) -> Listing:
    examples, there = None, None
    where = f"data.{source.paths[0]} of the spec" if source.paths else ""
    if name == "digits":
        examples, there, where = source_facts.DIGITS, True, "in scikit-learn"
    elif name == "karate":
        examples, there, where = _count(source_facts.KARATE), True, "in torch_geometric"
    elif name == "cora":
        folder = cora.folder(Cora(name="cora"), data_root)
        examples, there, where = _count(cora.FACTS), not cora.missing(folder), str(folder)
    elif name in idx.KINDS:
        root = data_root / name
        examples, there = sum(idx.EXAMPLES.values()), idx.fault(name, root) is None
        where = str(root)
    kinds, tasks = ", ".join(source.modalities), ", ".join(source.tasks)
    about = (source.__doc__ or "").splitlines()[0]
    shown = f"{name}:NAME" if name in LIBRARIES else name
    return Listing(shown, kinds, tasks, examples, there, where, about)


def _count(facts: DataFacts) -> int:
    return facts.train + facts.validation + facts.test
