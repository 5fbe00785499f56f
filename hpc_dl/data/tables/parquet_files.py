"""Parquet files, and folders of them, as pyarrow reads them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.data.faults import Faults, reading
from hpc_dl.data.tables.csv_files import Read
from hpc_dl.errors import UserError

if TYPE_CHECKING:
    from pyarrow import Schema

NEITHER = ("_", ".")
"""How names of files begin that hold no rows: `_SUCCESS`, `_metadata`, `.part-0.parquet.crc`."""
_OTHERS = {"_delta_log": "Delta", "metadata": "Iceberg"}
"""Folders of tables whose Parquet files are not all of the table's rows."""


def read(place: Path, option: str) -> Read:
    """Read a Parquet file, or all below a folder, in the order of their names, with columns of the
    folders' names, like `year=2021`. An index in it is no column, and is noted."""
    import pyarrow.dataset

    files = find_files(place, option) if place.is_dir() else [place]
    with reading(option, place, "parquet"):
        dataset = pyarrow.dataset.dataset(
            list(map(str, files)),
            format="parquet",
            partitioning="hive",
            partition_base_dir=str(place if place.is_dir() else place.parent),
        )
        schemas = [it.physical_schema for it in dataset.get_fragments()]
    _refuse_repeated(schemas[0], f"{option}: {place}")
    _refuse_others(place, files, schemas, option)
    with reading(option, place, "parquet"):
        frame = dataset.to_table().to_pandas()
    named = [str(name) for name in frame.index.names if name is not None]
    notes = [f"the index '{name}' of {place.name} is not read" for name in named]
    if place.is_dir():
        notes.append(f"{place.name} has {len(files)} Parquet files, read in the order of names")
    return frame.reset_index(drop=True), notes


def find_files(folder: Path, option: str) -> list[Path]:
    """Return the files of a folder that hold rows. Raises UserError where there are none, or where
    only a program that knows the format can tell which are the table's."""
    for name, form in _OTHERS.items():
        if (folder / name).is_dir():
            raise UserError(
                f"{option}: {folder} is of an {form} table, whose files are of several versions",
                hint="Export the rows of one version as Parquet.",
            )
    found = [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        and not any(part.startswith(NEITHER) for part in file.relative_to(folder).parts)
    ]
    if not found:
        raise UserError(f"{option}: {folder} has no Parquet file in it")
    return found


def _refuse_repeated(schema: Schema, where: str) -> None:
    """Raise UserError for a name that several columns have."""
    twice = dict.fromkeys(name for name in schema.names if schema.names.count(name) > 1)
    if twice:
        raise UserError(f"{where} has several columns {', '.join(map(repr, twice))}")


def _refuse_others(place: Path, files: list[Path], schemas: list[Any], option: str) -> None:
    """Raise UserError with the files whose columns are not those of the first."""
    first = {it.name: str(it.type) for it in schemas[0]}
    faults = Faults(f"{option}: {place}")
    for file, schema in zip(files, schemas, strict=True):
        own = {it.name: str(it.type) for it in schema}
        odd = sorted(name for name in first.keys() | own.keys() if first.get(name) != own.get(name))
        what = [f"'{it}' ({own.get(it, 'absent')}, not {first.get(it, 'there')})" for it in odd]
        faults.add(
            f"other columns than {files[0].name}",
            [f"{file.relative_to(place)}: {', '.join(what)}"] if odd else [],
        )
    faults.refuse()
