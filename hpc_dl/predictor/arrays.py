"""Arrays of real numbers, from what holds some: NumPy's arrays, torch's tensors, nested lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from hpc_dl.errors import UserError

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

NOT_NUMBERS = {
    "U": "text",
    "S": "text",
    "O": "Python objects",
    "c": "complex numbers",
    "M": "dates",
    "m": "spans of time",
    "V": "records",
}
"""By NumPy's letter for the kind of a type."""
NUMPY_HAS = (torch.float16, torch.float32, torch.float64)


def array(given: Any, name: str) -> Array:
    """Return `given` as an array of any shape. Raises UserError if it does not hold numbers."""
    found = _plain(given, name)
    if what := NOT_NUMBERS.get(found.dtype.kind):
        raise UserError(f"{name} is of {what}, but has to be of numbers")
    return found


def _plain(given: Any, name: str) -> Array:
    if isinstance(given, list | tuple):
        given = [_as_numpy(it, name) for it in given]
    try:
        return np.asarray(_as_numpy(given, name))
    except (ValueError, TypeError, RuntimeError) as error:
        if "inhomogeneous" in str(error) or "same shape" in str(error):
            raise UserError(f"{name}: its parts are of different shapes") from None
        raise UserError(f"{name} is no array: {error}") from None


def _as_numpy(given: Any, name: str) -> Any:
    """Return the array of a tensor, and anything else as it is; refuse arrays that are masked or
    sparse, and tables."""
    if isinstance(given, Tensor):
        return _of_tensor(given, name)
    if isinstance(given, np.ma.MaskedArray):
        raise UserError(f"{name} is a masked array", hint="Fill its gaps: x.filled(VALUE).")
    if hasattr(given, "toarray"):
        raise UserError(f"{name} is sparse", hint="Make it dense: x.toarray().")
    if hasattr(given, "columns") and name != "table":
        raise UserError(f"{name} is a table with columns", hint="Give an array: x.to_numpy().")
    return given


def _of_tensor(tensor: Tensor, name: str) -> Array:
    if tensor.layout != torch.strided:
        raise UserError(f"{name} is sparse", hint="Make it dense: x.to_dense().")
    plain = tensor.detach().cpu().resolve_conj().resolve_neg()
    if plain.is_floating_point() and plain.dtype not in NUMPY_HAS:
        plain = plain.float()
    found: Array = plain.numpy()
    return found
