"""`hpcdl data show NAME`: all options of a source of data."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text

from hpc_dl.cli.common import console, print_json
from hpc_dl.cli.models import as_json, first_line
from hpc_dl.cli.option_table import option_table
from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import Data, LibraryData
from hpc_dl.jobspec.sources import SOURCES
from hpc_dl.jobspec.suggestions import closest_name


def is_name(word: str) -> bool:
    """Return whether a word is meant as the name of a source, not as a file."""
    return _key(word) in SOURCES or not (Path(word).suffix or Path(word).exists())


def show(word: str, *, for_json: bool) -> int:
    """Print the options of a source, also of a library by one of its data sets.

    Raises UserError where there is none of that name.
    """
    if (name := _key(word)) not in SOURCES:
        guess = closest_name("data", word, list(SOURCES), [])
        raise UserError(
            f"there is no source of data '{word}'{guess}", hint=f"There are: {', '.join(SOURCES)}."
        )
    out, source = console(), SOURCES[name]
    if for_json:
        print_json({**as_json(word, source), "takes_other_keys": _has_others(source)})
        return 0
    out.print(Text.assemble((word, "bold"), f": {first_line(source)}"), soft_wrap=True)
    tasks = ", ".join(task.replace("_", " ") for task in source.tasks)
    out.print(f"kind: {', '.join(source.modalities)}; task: {tasks}\n", soft_wrap=True)
    out.print(option_table(source))
    if _has_others(source):
        out.print(f"\nEvery other key is handed to the class of {name}", soft_wrap=True)
    return 0


def _key(word: str) -> str:
    """Return the name in the registry; of `torchvision:SVHN`, that of the library."""
    return word.partition(":")[0]


def _has_others(source: type[Data]) -> bool:
    return issubclass(source, LibraryData) and bool(source.library)
