"""Groups of examples in an array: those with the same value stay together. Light."""

from __future__ import annotations

import numpy as np

from hpc_dl.data.arrays.elements import MISSING, describe
from hpc_dl.data.arrays.stored import Array, StoredArray
from hpc_dl.data.faults import Faults
from hpc_dl.data.splits import holdout
from hpc_dl.errors import UserError


def read_groups(array: StoredArray, name: str, count: int) -> Array:
    """Return the groups of `count` training examples as numbers, (N,) int64."""
    where = f"data.groups: '{name}'"
    if array.shape not in ((count,), (count, 1), (1, count)):
        raise UserError(
            f"{where} is {array.shape}, but has to be one value for each of {count} examples"
        )
    if (held := describe(array.dtype)) and held not in ("text", "dates"):
        raise UserError(f"{where} holds {held}", hint="Save groups as whole numbers or text.")
    return holdout.number_groups(check_groups(array[()].reshape(-1), where))


def check_groups(found: Array, where: str) -> Array:
    """Return the groups of examples, (N,), of text without blanks around it. Raises UserError for
    examples that have none."""
    if found.dtype.kind in "SUO":
        found = np.array([_word(it) for it in found.tolist()])
        missing = np.isin(found, ["", *MISSING])
    else:
        missing = np.isnat(found) if found.dtype.kind == "M" else np.isnan(found)
    faults = Faults(where)
    faults.add(
        f"{missing.sum()} of {len(found)} examples have no group",
        np.flatnonzero(missing).tolist(),
        "Fill them in, or leave the examples out.",
    )
    faults.refuse()
    return found


def _word(said: object) -> str:
    """Return an element as a word, without blanks around it; an empty one of None."""
    if said is None:
        return ""
    text = said.decode(errors="backslashreplace") if isinstance(said, bytes) else str(said)
    return text.strip()
