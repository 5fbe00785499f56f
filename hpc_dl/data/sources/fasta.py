"""Sequences of the user's in FASTA, with the class in each header or in a table. Light."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from hpc_dl.data.faults import Faults, regular_file
from hpc_dl.data.labels import note_similar_names
from hpc_dl.data.names import Names
from hpc_dl.data.sources.tables import FILES
from hpc_dl.data.tables.absent import refuse_absent
from hpc_dl.data.tables.columns import as_words
from hpc_dl.data.tables.files import read_file
from hpc_dl.data.texts import fasta, sequences
from hpc_dl.data.texts.fasta import Record
from hpc_dl.data.texts.labelled import LabelledTexts, number_classes
from hpc_dl.data.texts.sequences import SequenceSource
from hpc_dl.jobspec.csv_format import CsvFormat
from hpc_dl.jobspec.sources.fasta import Fasta


class FastaSource(SequenceSource[Fasta]):
    """The sequences of a file; the same for validation and test, if given."""

    def read(self) -> LabelledTexts:
        options = self.options
        keys = {name: key for name, key in FILES.items() if getattr(options, key)}
        read = {it: fasta.read(f"data.{key}", getattr(options, key)) for it, key in keys.items()}
        where = {name: place for name, (place, _) in read.items()}
        records = {name: found for name, (_, found) in read.items()}
        mask = options.ambiguous == "mask"
        notes = [
            note for name, its in records.items() for note in _check(its, where[name], mask=mask)
        ]
        known = _read_labels(options.labels) if options.labels else None
        named = {
            name: _find(its, known, where[name]) if known else _search(its, options, where[name])
            for name, its in records.items()
        }
        labels, classes = number_classes(named, where)
        return LabelledTexts(
            {name: [it.sequence for it in its] for name, its in records.items()},
            labels,
            classes,
            Names(
                "example",
                tuple(map(len, records.values())),
                [it.id for its in records.values() for it in its],
            ),
            notes=(*notes, *note_similar_names(classes)),
        )


def _check(records: Sequence[Record], where: str, *, mask: bool) -> tuple[str, ...]:
    """Return notes on the letters of sequences. Raises UserError with the lines of wrong ones."""
    lines = {f"line {n}": part for it in records for n, part in it.parts.items()}
    return sequences.check(lines, where, mask=mask)


def _search(records: Sequence[Record], options: Fasta, where: str) -> list[str]:
    """Return the class in each header. Raises UserError with headers that have none."""
    found = [re.search(options.label, it.header) for it in records]
    faults = Faults(where)
    without = [
        f"line {it.line} ('{it.header[:40]}')"
        for it, match in zip(records, found, strict=True)
        if match is None or not match[1]
    ]
    faults.add(
        "headers without a class",
        without,
        "By default it is the last word: >NAME CLASS or >NAME|CLASS. data.label finds it "
        "elsewhere, and data.labels names a CSV file of id,label.",
    )
    faults.refuse()
    return [match[1] for match in found if match]


def _read_labels(path: str) -> Mapping[str, str]:
    """Return the classes by the names of sequences in a CSV file. Raises UserError for a name that
    is there twice, and for gaps."""
    rows = read_file(regular_file("data.labels", path), "data.labels", CsvFormat(categories=["id"]))
    refuse_absent(rows, ["id", "label"])
    ids, labels = (as_words(rows.frame[name]) for name in ("id", "label"))
    faults = Faults(rows.where)
    gaps = (ids.isna() | labels.isna()).to_numpy()
    faults.add("rows without an id or a label", [f"row {n + 1}" for n in gaps.nonzero()[0]])
    twice = [name for name, count in Counter(ids.tolist()).items() if count > 1]
    faults.add("ids that several rows have", twice)
    faults.refuse()
    return dict(zip(ids.tolist(), labels.tolist(), strict=True))


def _find(records: Sequence[Record], known: Mapping[str, str], where: str) -> list[str]:
    """Return the class of each record by its name. Raises UserError with those that have none."""
    faults = Faults(where)
    absent = [f"'{it.id}' (line {it.line})" for it in records if it.id not in known]
    faults.add("sequences that data.labels does not have", absent)
    faults.refuse()
    return [known[it.id] for it in records]
