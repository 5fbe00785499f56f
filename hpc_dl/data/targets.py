"""Numbers to predict, whoever gives them. Light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hpc_dl.errors import UserError

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]


def constant(train: Array, names: Sequence[str], where: str) -> list[str]:
    """Notes on targets, of (N, targets), that are the same in all training examples.

    Raises UserError where all are: nothing is left to learn.
    """
    columns = train.reshape(len(train), -1)
    same = [name for name, it in zip(names, columns.T, strict=True) if (it == it[0]).all()]
    if len(same) == len(names):
        raise UserError(
            f"{where}: '{same[0]}' is {columns[0, 0]:g} in all training examples: there is "
            "nothing to predict"
        )
    return [f"target '{name}' is the same in all training examples" for name in same]
