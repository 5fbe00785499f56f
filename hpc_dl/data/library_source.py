"""Sources that somebody else's code gives: described by calling it, in another process.

The data sets of a library are made by its own classes from staged files: none is downloaded. Light.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hpc_dl.data import describe
from hpc_dl.data.source import Loaded, Options, Source
from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import LibraryData
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.suggestions import nearest

if TYPE_CHECKING:
    from hpc_dl.data.dataset import Split

_ADVICE = " You can use download=True to download it"
"""torchvision's, for its own classes; a spec has no such key."""


class LibrarySource(Source[Options]):
    """A source of which everything is known by calling somebody else's code.

    It is described by loading it in another process, and fingerprinted by its tensors.
    """

    @abstractmethod
    def read(self) -> Loaded:
        """Call that code, and return the facts and the splits that it gives."""

    def describe(self) -> DataFacts:
        return describe.in_subprocess(self)

    def load(self) -> Loaded:
        from hpc_dl.data.tensor_digests import digest_names, digests

        facts, splits = self.read()
        what = "targets" if facts.target_names else "classes"
        named = (f"the names of {what}", digest_names(facts.target_names or facts.classes))
        size = _example_bytes(facts, splits)
        return replace(facts, contents=(*digests(splits), named), example_bytes=size), splits

    def files(self) -> dict[str, Path]:
        return {}


def _example_bytes(facts: DataFacts, splits: Mapping[str, Split]) -> int:
    """Return the bytes of a picture or, on average, of a graph; 0 where the plan can tell itself,
    and for nodes, which share one graph."""
    if facts.modality not in ("image", "graph") or facts.task == "classify_nodes":
        return 0
    return sum(it.size for it in splits.values()) // sum(map(len, splits.values()))


def refuse_others(source: LibraryData, wanted: str) -> None:
    """Raise UserError for a data set of another task, before its gigabytes are fetched."""
    for what, names in source.others.items():
        if source.name.split(":")[1] in names.split():
            raise UserError(
                f"{source.name} has {what}, and no {wanted}",
                hint="A function of your own may return other examples: "
                "data.name: my_code.py:my_dataset.",
            )


def find_class(source: LibraryData, module: ModuleType) -> Any:
    """Return the class in `module` that the source names. Raises UserError if there is none."""
    name = source.name.split(":")[1]
    if name not in module.__all__:
        members = type(source).members()
        named = [it for it in members if it.rpartition(":")[2].casefold() == name.casefold()]
        near = named or nearest(name, module.__all__, 3)
        raise UserError(
            f"{module.__name__} has no '{name}'",
            hint=f"Did you mean {' or '.join(near)}?" if near else "",
        )
    return getattr(module, name)


def has_option(kind: Any, option: str) -> bool:
    """Return whether a data set's class, or its constructor, has an option."""
    return option in inspect.signature(kind).parameters


def make_dataset(
    source: LibraryData, kind: Any, root: Path, at: Path | None = None, **more: object
) -> Any:
    """Return the data set that is staged in `root`, and read `at` another place if that is given,
    with the user's options and with more.

    Raises UserError where it is not staged, or does not take the options.
    """
    where = {"root": str(at or root)} if has_option(kind, "root") else {}
    # some classes download by default
    never = {"download": False} if has_option(kind, "download") else {}
    if has_option(kind, "name") and "name" not in _class_options(source):
        raise UserError(
            f"{source.name} is several data sets", hint=f"Say which: {source.name}:NAME."
        )
    try:
        return kind(**where, **{**never, **_class_options(source)}, **more)
    except (TypeError, AssertionError) as error:
        said = str(error) or _list_options(_class_options(source))
        raise UserError(
            f"{source.name} does not take these options: {said}",
            hint=f"It takes {', '.join(inspect.signature(kind).parameters)}.",
        ) from None
    except (RuntimeError, OSError) as error:
        found = f" in {root}: {str(error).removesuffix(_ADVICE)}"
        fault = found if root.is_dir() else f": there is no folder {root}"
        hint = _fetch_command(source, kind, root, more)
        raise UserError(f"{source.name} is not staged{fault}", hint=hint) from None
    except ImportError as error:
        raise UserError(
            f"{source.name} needs a package that is not installed: {error}",
            hint="Install it where the jobs run, too.",
        ) from None
    except ValueError:
        raise  # of a split that it does not have
    except Exception as error:
        raise UserError(
            f"{source.name} cannot be read from {root}: {type(error).__name__}: {error}"
        ) from error


def _class_options(source: LibraryData) -> dict[str, Any]:
    """Return the options for the class: the user's, and after the second colon the `name`."""
    _, _, *which = source.name.split(":")
    return {**({"name": which[0]} if which else {}), **source.options}


def _list_options(options: Mapping[str, object]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in options.items())


def _fetch_command(source: LibraryData, kind: Any, root: Path, more: Mapping[str, object]) -> str:
    """Return the command by which the library fetches it, or what to do where it does not."""
    library, name = source.name.split(":")[:2]
    options = {**_class_options(source), **more}
    if library == "torchvision":
        # a class may hand its options on to the one that it is made of
        if not any(has_option(it.__init__, "download") for it in kind.__mro__):
            return f"It has no download: torchvision's page of {name} says what to put there."
        options["download"] = True
    given = f"'{root}', {_list_options(options)}" if options else f"'{root}'"
    return (
        "Fetch it on a machine with internet, with the same folder:\n"
        f'python -c "from {library}.datasets import {name}; {name}({given})"'
    )
