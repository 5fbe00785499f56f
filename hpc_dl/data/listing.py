"""What `hpcdl data list` says of each source. Light."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hpc_dl.data import idx, staged
from hpc_dl.spec.data import Data
from hpc_dl.spec.sources import SOURCES


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
    examples, there, where = None, None, "data.root of the spec"
    if name == "digits":
        examples, there, where = staged.DIGITS, True, "in scikit-learn"
    elif name in idx.KINDS:
        root = data_root / name
        examples, there = sum(idx.EXAMPLES.values()), idx.fault(name, root) is None
        where = str(root)
    about = (source.__doc__ or "").splitlines()[0]
    return Listing(name, source.kind, source.task, examples, there, where, about)
