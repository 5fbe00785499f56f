"""Primate splice junctions (Towell, Noordewier and Shavlik, UCI 1991,
https://doi.org/10.24432/C5M888): `class, name, sequence` in each line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from hpc_dl.data.faults import Faults, reading
from hpc_dl.data.names import Names
from hpc_dl.data.source import Staging
from hpc_dl.data.staging.staged import Sizes, StagedFiles
from hpc_dl.data.texts import sequences
from hpc_dl.data.texts.labelled import LabelledTexts
from hpc_dl.data.texts.sequences import SequenceSource
from hpc_dl.data.tokens.dna import normalise
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.splice import Splice

ORIGIN = (
    "https://archive.ics.uci.edu/ml/machine-learning-databases/molecular-biology/"
    "splice-junction-gene-sequences/splice.data"
)
FILE = "splice.data"
CLASSES = {"EI": 767, "IE": 768, "N": 1655}
"""And the sequences of each."""


class SpliceSource(StagedFiles, SequenceSource[Splice]):
    """The sequences, which have no split of their own."""

    @property
    def folder(self) -> Path:
        return self.root

    @property
    def sizes(self) -> Sizes:
        return {FILE: None}

    def staging(self) -> Staging:
        return Staging(str(self.folder), not self.find_fault(), sum(CLASSES.values()))

    def read(self) -> LabelledTexts:
        self.refuse_absent(f", from {ORIGIN}")
        where = f"data.name: splice: {self.folder / FILE}"
        rows = _read(self.folder / FILE)
        found = {f"line {n}": normalise(text) for n, (_, _, text) in enumerate(rows, start=1)}
        notes = sequences.check(found, where, mask=self.options.ambiguous == "mask")
        labels = [[*CLASSES].index(label) for label, _, _ in rows]
        names = Names("example", (len(rows),), [name for _, name, _ in rows])
        texts = {"train": [*found.values()]}
        return LabelledTexts(texts, {"train": labels}, tuple(CLASSES), names, notes=notes)

    @property
    def urls(self) -> Mapping[str, str]:
        return {FILE: ORIGIN}

    def check(self, folder: Path) -> None:
        _read(folder / FILE)


def _read(file: Path) -> list[tuple[str, str, str]]:
    """Return class, name and sequence of each line. Raises UserError where they are not those of
    the data set."""
    where = f"data.name: splice: {file}"
    with reading("data.name: splice", file, "text"):
        lines = file.read_text("ascii").splitlines()
    rows = [tuple(field.strip() for field in line.split(",")) for line in lines if line.strip()]
    faults = Faults(where)
    wrong = [n for n, row in enumerate(rows, start=1) if len(row) != 3 or row[0] not in CLASSES]
    faults.add(
        "no class, name and sequence", [f"line {n}" for n in wrong], f"Get it again, from {ORIGIN}."
    )
    faults.refuse()
    if (counts := Counter(row[0] for row in rows)) != CLASSES:
        raise UserError(
            f"{where} has {dict(counts)} sequences of the classes instead of {CLASSES}",
            hint=f"Get it again, from {ORIGIN}.",
        )
    return [(label, name, text) for label, name, text in rows]
