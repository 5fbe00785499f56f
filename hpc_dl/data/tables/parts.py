"""Parts that columns play: what the options of a table name, the others being inputs. Light."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hpc_dl.data.tables.absent import refuse_absent
from hpc_dl.data.tables.rows import Rows
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import Part
from hpc_dl.jobspec.sources.tables import Table

_PARTS: dict[str, Part] = {
    "target": "target",
    "drop": "dropped",
    "groups": "group",
    "index": "index",
}
"""Option → part of the columns that it names."""
NO_TARGET = (
    "A file for the test or the validation has the truth in it; `hpcdl predict` predicts others."
)


def find_parts(source: Table) -> dict[str, Part]:
    """Return the part of each column that an option names.

    Raises UserError for a column that is named twice, or for a target that is not named.
    """
    found: dict[str, Part] = {}
    if not source.targets:
        raise UserError("data.target: names no column", hint="Name the column to predict.")
    for name in source.targets:
        if source.targets.count(name) > 1:
            raise UserError(f"data.target: '{name}' is named several times")
    if source.task == "classify" and len(source.targets) > 1:
        raise UserError(
            "data.target: an example has one class, in one column",
            hint="One-hot columns become one of names in pandas: frame[columns].idxmax(axis=1). "
            "To predict several numbers: data.task: regress.",
        )
    for key, part in _PARTS.items():
        for name in dict.fromkeys(_listed(getattr(source, key))):
            if name in found:
                other = next(it for it in _PARTS if _PARTS[it] == found[name])
                raise UserError(f"data.{other}: '{name}' is named in data.{key}, too")
            found[name] = part
    for name in source.formats:
        if name in found and not (found[name] == "target" and source.task == "regress"):
            raise UserError(f"data.dates: '{name}' is no input: it is the {found[name]} column")
    for name in source.categories:
        if other := found.get(name) or ("date" if name in source.formats else ""):
            raise UserError(
                f"data.categories: '{name}' is no input of words: it is the {other} column"
            )
    return found


def check_names(source: Table, parts: Mapping[str, Part], train: Rows, *others: Rows) -> list[str]:
    """Return the names of the inputs. Raises UserError with columns that are not there."""
    for key in (*_PARTS, "dates", "categories"):
        refuse_absent(train, _listed(getattr(source, key)), f"data.{key}")
    inputs = [name for name in train.frame.columns if name not in parts]
    if not inputs:
        raise UserError(f"{train.where} has no column beside the {_aside(parts)}")
    needed = [name for name in train.frame.columns if parts.get(name) != "dropped"]
    for other in others:
        missing = any(name not in other.frame.columns for name in source.targets)
        refuse_absent(other, needed, hint=NO_TARGET if missing else "")
    return inputs


def _listed(named: str | Iterable[str] | None) -> list[str]:
    return [named] if isinstance(named, str) else list(named or ())


def _aside(parts: Mapping[str, Part]) -> str:
    return " and ".join(dict.fromkeys(parts.values())) + " columns" if len(parts) > 1 else "target"
