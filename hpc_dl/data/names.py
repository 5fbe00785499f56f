"""Names of examples for people: a file, a row of a table, a node, or a position."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hpc_dl.errors import first_few

if TYPE_CHECKING:
    from hpc_dl.data.dataset import Split


@dataclass(frozen=True)
class Names:
    """The names of examples by the numbers that they have as `index` in a batch.

    Without `labels` the name is the position in the part of the source that the example was read
    from: from 1 for the rows after a table's header, else from 0 as in an array.
    """

    kind: Literal["file", "row", "node", "example"] = "example"
    sizes: tuple[int, ...] = ()
    """How many examples each part of the source has, in the order in which they are numbered."""
    labels: Sequence[Any] = ()
    root: Path | None = None
    """The folder to which the names of files are relative."""

    @classmethod
    def of_splits(cls, splits: Mapping[str, Split]) -> Names:
        """Name nodes by their numbers in the graph, other examples by their place in a split."""
        sizes = tuple(map(len, splits.values()))
        if all("at" in split.tensors for split in splits.values()):
            return cls(
                "node", sizes, [n for it in splits.values() for n in it.tensors["at"].tolist()]
            )
        return cls("example", sizes)

    def of(self, number: int) -> str:
        """Return the name of an example."""
        if self.labels:
            label = str(self.labels[number])
            return os.path.relpath(label, self.root) if self.root else label
        for size in self.sizes[:-1]:
            if number < size:
                break
            number -= size
        return str(number + 1 if self.kind == "row" else number)

    def listed(self, numbers: Sequence[int], most: int = 8) -> str:
        """Return some examples for a message: `files a/1.png, b/2.png and 3 more`."""
        shown = first_few(map(self.of, numbers), most)
        return f"{self.kind}{'s' if len(numbers) > 1 else ''} {shown}"
