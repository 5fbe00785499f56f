"""Tensors and arrays of a user's code, as plain ones: dense, real, on the CPU."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hpc_dl.data.arrays.elements import refuse_no_numbers
from hpc_dl.data.splits.holdout import Array
from hpc_dl.data.user_functions.returned import kind_of
from hpc_dl.errors import UserError, first_few

DENSE = 2**32
"""Most bytes that a sparse matrix may take as a dense one."""


def to_tensor(value: Any, where: str) -> Tensor:
    """Return a dense tensor of numbers, on the CPU and without a gradient.

    Raises UserError for what is none, or has examples of several lengths.
    """
    if isinstance(value, Tensor):
        return _plain(value, where)
    if _are_tensors(value):
        return _stack([_plain(it, where) for it in value], where)
    _refuse_words(value, where)
    array = to_array(value, where)
    refuse_no_numbers(array.dtype, where, "x")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of arrays that cannot be written, as of mapped files
        return torch.from_numpy(array)


def to_array(value: Any, where: str) -> Array:
    """Return an array, of words too, in the byte order and the strides that torch reads."""
    if isinstance(value, Tensor) or _are_tensors(value):
        return _numpy(to_tensor(value, where))
    if hasattr(value, "to_numpy"):  # of pandas
        value = _of_pandas(value)
    if hasattr(value, "toarray"):  # of scipy.sparse
        _refuse_large(int(np.prod(value.shape)) * value.dtype.itemsize, where)
        value = value.toarray()
    if isinstance(value, np.ma.MaskedArray) and value.mask.any():
        raise UserError(
            f"{where}: {value.mask.sum()} of {value.size} values are masked",
            hint="Fill them in: x.filled(...), or leave their examples out.",
        )
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise _no_array(value, error, where) from None
    if array.dtype.kind == "O" and not array.ndim:
        hint = "Give a list, a tensor or an array."
        raise UserError(f"{where} is no tensor or array, but {kind_of(value)}", hint=hint)
    if array.dtype.kind == "O":
        _refuse_several_lengths(array, where)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)  # of which torch has no wider
    return np.asarray(array.astype(array.dtype.newbyteorder("="), copy=False), order="C")


def _refuse_words(value: Any, where: str) -> None:
    """Raise UserError for a DataFrame with columns that are no numbers."""
    if not hasattr(value, "columns") or not hasattr(value, "dtypes"):
        return
    kinds = zip(value.columns, value.dtypes, strict=True)
    if words := [f"'{name}'" for name, it in kinds if getattr(it, "kind", "") in ("O", "M", "m")]:
        raise UserError(
            f"{where}: columns are no numbers: {first_few(words)}",
            hint="Leave them out, or make a column of each word: "
            "pandas.get_dummies(frame, dtype=float). data.name=csv and parquet do so themselves.",
        )


def _of_pandas(value: Any) -> Any:
    """Return the values; of columns of several types, which are all numbers, as floats."""
    array = value.to_numpy()
    kinds = {getattr(it, "kind", "O") for it in np.atleast_1d(getattr(value, "dtypes", "O"))}
    is_mixed = array.dtype.kind == "O" and kinds <= set("biuf")
    return value.to_numpy(float, na_value=np.nan) if is_mixed else array


def _plain(tensor: Tensor, where: str) -> Tensor:
    if tensor.is_meta:
        raise UserError(f"{where} is on the meta device, which holds no values")
    if tensor.is_nested:
        raise UserError(
            f"{where} has examples of several lengths",
            hint="Fill them up: torch.nested.to_padded_tensor(x, 0.0).",
        )
    if tensor.is_complex():
        raise UserError(
            f"{where} is {tensor.dtype}, but has to be real numbers",
            hint="Real and imaginary parts: torch.view_as_real(x).",
        )
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.layout != torch.strided:
        _refuse_large(tensor.numel() * tensor.element_size(), where)
        tensor = tensor.to_dense()
    return tensor.detach().as_subclass(Tensor).cpu()


def _numpy(tensor: Tensor) -> Array:
    if tensor.dtype == torch.bfloat16:  # which numpy does not have
        tensor = tensor.float()
    array: Array = tensor.resolve_neg().contiguous().numpy()
    return array


def _are_tensors(value: Any) -> bool:
    return isinstance(value, Sequence) and any(isinstance(it, Tensor) for it in value)


def _stack(tensors: list[Tensor], where: str) -> Tensor:
    shapes = Counter(tuple(it.shape) for it in tensors)
    if len(shapes) > 1:
        raise _several(list(shapes), where)
    return torch.stack(tensors)


def _refuse_several_lengths(array: Array, where: str) -> None:
    parts = [it for it in array.flatten()[:1000] if hasattr(it, "shape") or isinstance(it, list)]
    if parts:
        raise _several([np.shape(it) or (0,) for it in parts], where)


def _no_array(value: Any, error: Exception, where: str) -> UserError:
    if isinstance(value, list | tuple) and "inhomogeneous" in str(error):
        sized = [it for it in value if hasattr(it, "__len__")]
        return _several([getattr(it, "shape", None) or (len(it),) for it in sized], where)
    return UserError(f"{where} is no tensor or array, but {kind_of(value)}: {error}")


def _several(shapes: Sequence[Any], where: str) -> UserError:
    different = list(dict.fromkeys(tuple(shape) for shape in shapes))
    return UserError(
        f"{where} has examples of several shapes: {first_few(different, 3)}",
        hint="Bring them to one: cut them off, or fill them up.",
    )


def _refuse_large(size: int, where: str) -> None:
    if size > DENSE:
        raise UserError(
            f"{where} is sparse, and would take {size / 2**30:.0f} GiB as a dense matrix",
            hint="Keep fewer columns, or reduce them: sklearn.decomposition.TruncatedSVD.",
        )
