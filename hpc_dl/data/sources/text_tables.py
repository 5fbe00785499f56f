"""Texts in a column of a CSV or Parquet file, with their classes in another. Light."""

from __future__ import annotations

from collections.abc import Mapping

from hpc_dl.data.labels import note_similar_names
from hpc_dl.data.names import Names
from hpc_dl.data.sources.tables import FILES
from hpc_dl.data.tables import gaps, identity, targets
from hpc_dl.data.tables.absent import refuse_absent
from hpc_dl.data.tables.columns import as_words, is_text
from hpc_dl.data.tables.files import read_rows
from hpc_dl.data.tables.places import show_example
from hpc_dl.data.tables.rows import Rows
from hpc_dl.data.texts.labelled import LabelledTexts
from hpc_dl.data.texts.source import WordSource
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.csv_format import CsvFormat
from hpc_dl.jobspec.sources.text_tables import TextTable

_COLUMNS = ("text", "target", "groups", "index")
"""Options that name one."""


class TextTableSource(WordSource[TextTable]):
    """The rows of a file; the same for validation and test, if given."""

    def read(self) -> LabelledTexts:
        options = self.options
        _refuse_twice(options)
        keys = {name: key for name, key in FILES.items() if getattr(options, key)}
        tables = {name: _read(options, key) for name, key in keys.items()}
        classes, answers = targets.number_classes(tables, options.target)
        texts = {name: _texts(it, options.text) for name, it in tables.items()}
        groups = identity.find_groups(tables, options.groups) if options.groups else None
        labels = identity.row_labels(tables, options.index)
        return LabelledTexts(
            texts,
            {name: it.tolist() for name, it in answers.items()},
            tuple(classes),
            Names("row", tuple(map(len, texts.values())), labels),
            groups,
            (*_notes(options, tables), *note_similar_names(classes)),
        )


def _refuse_twice(options: TextTable) -> None:
    """Raise UserError for a column that two options name."""
    named: dict[str, str] = {}
    for key in _COLUMNS:
        if (name := getattr(options, key)) is None:
            continue
        if name in named:
            raise UserError(f"data.{key}: '{name}' is named in data.{named[name]}, too")
        named[name] = key


def _read(options: TextTable, key: str) -> Rows:
    """Read the rows of a file. Raises UserError for columns and values that are not there."""
    as_they_are = {"categories": [options.text, options.target]}  # words, though of digits
    read = options.model_copy(update=as_they_are) if isinstance(options, CsvFormat) else options
    rows = read_rows(read, key)
    for of in _COLUMNS:
        name = getattr(options, of)
        refuse_absent(rows, [name] if name else [], f"data.{of}")
    wanted = {options.text: "a text", options.target: "a class"}
    needed = {name: (what, gaps.OR_DROP) for name, what in wanted.items()}
    return gaps.without_gaps(rows, options, needed, [*wanted] if options.missing == "drop" else [])


def _texts(rows: Rows, name: str) -> list[str]:
    """Return the texts of a column. Raises UserError where it has none."""
    column = rows.frame[name]
    if not is_text(column):
        raise UserError(
            f"{rows.where}: column '{name}', of texts, is of {column.dtype}, such as "
            f"{show_example(column)}",
            hint="Name the column of the texts: data.text.",
        )
    return as_words(column).tolist()


def _notes(options: TextTable, tables: Mapping[str, Rows]) -> list[str]:
    """Note how the files were read, and which columns are not."""
    used = {options.text, options.target, options.groups, options.index}
    left = [name for name in tables["train"].frame.columns if name not in used]
    several = len(tables) > 1
    notes = [
        f"{name}: {note}" if several else note for name, it in tables.items() for note in it.notes
    ]
    return notes + ([f"columns that are not read: {first_few(left)}"] if left else [])
