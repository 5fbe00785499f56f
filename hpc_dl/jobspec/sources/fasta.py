"""Options of sequences in FASTA."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from hpc_dl.jobspec.data import Fraction
from hpc_dl.jobspec.sequences import DnaSequences
from hpc_dl.jobspec.sources.image_folder import Pattern


class Fasta(DnaSequences):
    """A user's own sequences of DNA in FASTA, packed by gzip or not: the class is in each header,
    or in a table."""

    paths: ClassVar[tuple[str, ...]] = ("path", "validation_path", "test_path", "labels")

    name: Literal["fasta"]
    path: str = Field(description="the file")
    label: Pattern = Field(
        r"(?:\s|\|)([^|\s]+)$",
        description="a regular expression that is searched for in each header, whose first (...) "
        "is the class; by default the last word, after a blank or `|`: `>NAME CLASS`, "
        "`>NAME|CLASS`",
    )
    labels: str | None = Field(
        None,
        description="a CSV file with columns `id` and `label`, the names that headers begin with "
        "and their classes, in place of `label`",
    )
    validation_path: str | None = Field(
        None, description="a file of sequences for the validation, if any"
    )
    test_path: str | None = Field(
        None, description="a file of sequences for the final test, if any"
    )
    test: Fraction = Field(
        0.1, description="share of the sequences for the test, without such a file"
    )

    @model_validator(mode="after")
    def _one_place_of_classes(self) -> Self:
        if self.labels is not None and self.label != type(self).model_fields["label"].default:
            raise ValueError("label finds the classes in the headers, labels in a table: give one")
        return self
