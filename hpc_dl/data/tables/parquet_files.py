"""Parquet files, and folders of them, as pyarrow reads them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.data.faults import Faults, reading
from hpc_dl.data.tables.rows import Rows
from hpc_dl.errors import UserError, first_few

if TYPE_CHECKING:
    from pandas import DataFrame
    from pyarrow import Schema
    from pyarrow.dataset import Dataset

_NO_ROWS = ("_", ".")
"""How names begin of what holds no rows: `_SUCCESS`, `_metadata`, `.part-0.parquet.crc`."""
_SUFFIXES = (".parquet", ".parq", ".pq")
"""What is called otherwise is read only where nothing is called so, as by Hive."""
_SPLIT = re.compile(r"(?:data[/\\])?(train|val|valid|validation|dev|test)(?![a-z])", re.IGNORECASE)
_VERSIONED = {"_delta_log": "a Delta table", "metadata": "an Iceberg table"}
"""Folder → a table whose files are of several versions."""


def read(place: Path, option: str) -> Rows:
    """Read a Parquet file, or all below a folder in the order of their names, with a column for
    folders like `year=2021`. An index in it is no column, and is noted.

    Raises UserError, which begins with the option, where it cannot be read.
    """
    files, schemas = _checked(place, option)
    with reading(option, place, "parquet"):
        dataset, rows = _dataset(place, files, schemas)
        frame = dataset.to_table().cast(rows).to_pandas(self_destruct=True)
    return _rows(frame, place, option, files)


def read_in_parts(place: Path, option: str, size: int) -> Iterator[Rows]:
    """Yield the rows as `read` reads them, `size` at a time at most; they count on."""
    import pyarrow

    files, schemas = _checked(place, option)
    with reading(option, place, "parquet"):
        dataset, rows = _dataset(place, files, schemas)
        batches, first = dataset.to_batches(batch_size=size), 0
        for batch in batches:
            frame = pyarrow.Table.from_batches([batch]).cast(rows).to_pandas()
            if not len(frame):
                continue
            found = _rows(frame, place, option, files)
            found.frame.index += first
            first += len(frame)
            yield found


def _checked(place: Path, option: str) -> tuple[list[Path], list[Schema]]:
    """Return the files and their schemas. Raises UserError where they are not of one table."""
    import pyarrow.parquet

    files = _find_files(place, option) if place.is_dir() else [place]
    schemas = []
    for file in files:
        with reading(option, file, "parquet"):
            schemas.append(pyarrow.parquet.read_schema(file))
    _refuse_repeated(schemas[0], f"{option}: {files[0]}")
    _refuse_others(files, schemas, f"{option}: {place}")
    return files, schemas


def _rows(frame: DataFrame, place: Path, option: str, files: Sequence[Path]) -> Rows:
    """Return rows with notes on how they were read."""
    named = [str(name) for name in frame.index.names if name is not None]
    notes = [f"the index '{name}' of {place.name} is not read" for name in named]
    if place.is_dir():
        notes.append(f"{place.name} has {len(files)} Parquet files, read in the order of names")
    where = f"{option}: {place}"
    return Rows(frame.reset_index(drop=True), where, str(place), notes=tuple(notes))


def _dataset(
    place: Path, files: Sequence[Path], schemas: Sequence[Schema]
) -> tuple[Dataset, Schema]:
    """Return files of these schemas as a data set of pyarrow, with a column for each level of
    folders, and the schema that its rows are to have."""
    import pyarrow
    import pyarrow.dataset

    dataset = pyarrow.dataset.dataset(
        list(map(str, files)),
        format="parquet",
        partitioning="hive" if place.is_dir() else None,
        partition_base_dir=str(place) if place.is_dir() else None,
    )
    own = set(schemas[0].names)
    names = [it for it in dataset.schema.names if it not in own]
    rows = pyarrow.unify_schemas([*schemas, pyarrow.schema(map(dataset.schema.field, names))])
    return dataset.replace_schema(rows), _in_utc(rows)


def _find_files(folder: Path, option: str) -> list[Path]:
    """Return the files below a folder that hold rows. Raises UserError where there are none, or
    where only a program that knows the format can tell which are the table's."""
    for name, what in _VERSIONED.items():
        if (folder / name).is_dir():
            raise UserError(
                f"{option}: {folder} is {what}, whose files are of several versions",
                hint="Export the rows of one version as Parquet.",
            )
    with reading(option, folder, "folder"):
        below = sorted(it for it in folder.rglob("*") if it.is_file())
    hidden = [
        any(part.startswith(_NO_ROWS) for part in it.relative_to(folder).parts) for it in below
    ]
    found = [it for it, is_hidden in zip(below, hidden, strict=True) if not is_hidden]
    if not found:
        raise UserError(f"{option}: {folder} has no Parquet file in it")
    found = [it for it in found if it.suffix.lower() in _SUFFIXES] or found
    _refuse_splits(folder, found, option)
    return found


def _refuse_splits(folder: Path, files: Sequence[Path], option: str) -> None:
    """Raise UserError where names tell training rows from others, as those of Hugging Face do."""
    starts = [_SPLIT.match(str(it.relative_to(folder))) for it in files]
    splits = dict.fromkeys(it[1].lower() for it in starts if it)
    if len(splits) > 1:
        raise UserError(
            f"{option}: {folder} has files of several splits: {', '.join(splits)}",
            hint="Put each into a folder of its own: data.path names the one to train on, "
            "data.validation_path and data.test_path the others.",
        )


def _in_utc(schema: Schema) -> Schema:
    """Return the schema with all times in UTC, since other systems name zones that Python does not
    know; the moments are the same."""
    import pyarrow

    fields = [
        it.with_type(pyarrow.timestamp(it.type.unit, "UTC"))
        if pyarrow.types.is_timestamp(it.type) and it.type.tz
        else it
        for it in schema
    ]
    return pyarrow.schema(fields, schema.metadata)


def _refuse_repeated(schema: Schema, where: str) -> None:
    """Raise UserError for a name that several columns have."""
    twice = [name for name, count in Counter(schema.names).items() if count > 1]
    if twice:
        raise UserError(f"{where} has several columns {', '.join(map(repr, twice))}")


def _refuse_others(files: Sequence[Path], schemas: Sequence[Schema], where: str) -> None:
    """Raise UserError with the files whose columns are not those of the first; one without any
    value may be of any type."""
    faults, first = Faults(where), {it.name: str(it.type) for it in schemas[0]}
    for file, schema in zip(files, schemas, strict=True):
        own = {it.name: str(it.type) for it in schema}
        what = [f"no '{name}'" for name in first if name not in own]
        what += [f"'{name}' besides" for name in own if name not in first]
        what += [
            f"'{name}' as {own[name]}"
            for name, kind in first.items()
            if own.get(name, kind) != kind and "null" not in (own[name], kind)
        ]
        if what:
            shown = f"{file.name} has {first_few(what)}"
            faults.add(f"files with other columns than {files[0].name}", [shown])
    faults.refuse()
