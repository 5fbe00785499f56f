"""Elements of arrays: what a type holds, for messages, and how to make numbers of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from hpc_dl.errors import UserError

MISSING = ("nan", "<NA>", "NaT")
"""Words that NumPy and pandas write for missing values in text."""
_KINDS = {
    "U": "text",
    "S": "text",
    "c": "complex numbers",
    "M": "dates",
    "m": "spans of time",
    "O": "Python objects",
    "V": "raw bytes",
}
"""By NumPy's letter for the kind of a type."""
_WAYS = {
    "text": "If it is numbers as text: {0}.astype(float).",
    "complex numbers": "Real and imaginary parts: numpy.stack([{0}.real, {0}.imag], axis=-1).",
    "dates": "In days: ({0} - {0}.min()) / numpy.timedelta64(1, 'D').",
    "spans of time": "In days: {0} / numpy.timedelta64(1, 'D').",
    "Python objects": "Save it as numbers: numpy.array({0}.tolist(), dtype=float).",
    "lists of several lengths": "Fill them up to one length; of encoded pictures save the pixels.",
    "references": "Save the arrays that they refer to as one. MATLAB: cell2mat.",
    "records": "numpy.lib.recfunctions.structured_to_unstructured({0}); or save a Parquet file.",
}


def describe(dtype: np.dtype[Any]) -> str:
    """Return what the elements are that are no real numbers; empty if they are."""
    if dtype.names:
        return "records"
    if dtype.kind == "O" and dtype.metadata:
        import h5py

        if h5py.check_string_dtype(dtype):
            return "text"
        if h5py.check_vlen_dtype(dtype):
            return "lists of several lengths"
        if h5py.check_ref_dtype(dtype):
            return "references"
    return _KINDS.get(dtype.kind, "")


def refuse_no_numbers(dtype: np.dtype[Any], where: str, name: str, hint: str = "") -> None:
    """Raise UserError for elements that are no real numbers; `name` is the array's in the hint."""
    if found := describe(dtype):
        ways = filter(None, [_WAYS.get(found, "").format(name), hint])
        raise UserError(f"{where} holds {found}, not real numbers", hint=" ".join(ways))
