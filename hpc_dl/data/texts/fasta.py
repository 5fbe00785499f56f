"""Sequences in FASTA (Pearson and Lipman, PNAS 85 (1988)). Light."""

from __future__ import annotations

from dataclasses import dataclass, field

from hpc_dl.data.faults import Faults, regular_file
from hpc_dl.data.tables.csv.text_files import TextFile, find_text
from hpc_dl.data.tokens.dna import normalise
from hpc_dl.errors import UserError


@dataclass
class Record:
    """A header, and the lines of its sequence."""

    header: str
    """Without `>`."""
    line: int
    """Of the header, from 1."""
    parts: dict[int, str] = field(default_factory=dict)
    """The sequence, normalised, by the lines in which it stands."""

    @property
    def id(self) -> str:
        """The name before the first blank or `|`."""
        return self.header.replace("|", " ").split(" ")[0]

    @property
    def sequence(self) -> str:
        return "".join(self.parts.values())


def read(key: str, path: str) -> tuple[str, list[Record]]:
    """Return the option and the file for messages, and the records of a file.

    Raises UserError where it is no FASTA, or a header has no sequence.
    """
    file = find_text(regular_file(key, path), key, None, "FASTA")
    records = _records(file)
    faults = Faults(file.where)
    empty = [f"line {it.line} ('{it.header[:40]}')" for it in records if not it.sequence]
    faults.add("headers without a sequence", empty, "Take them out, or get the file again.")
    faults.refuse()
    if not records:
        raise UserError(f"{file.where} has no sequence: no line begins with >")
    return file.where, records


def _records(file: TextFile) -> list[Record]:
    records: list[Record] = []
    for number, raw in enumerate(file.lines(), start=1):
        line = raw.strip()
        if line.startswith(">"):
            records.append(Record(" ".join(line[1:].split()), number))
        elif records and line and not line.startswith(";"):
            records[-1].parts[number] = normalise(line)
        elif line.startswith("@") and not records:
            raise UserError(f"{file.where} is FASTQ", hint="seqtk seq -a FILE.fq > FILE.fa")
        elif line and not line.startswith(";"):
            raise UserError(
                f"{file.where}:{number} is no FASTA: a sequence stands before the first header",
                hint="Each sequence has a line before it that begins with >.",
            )
    return records
