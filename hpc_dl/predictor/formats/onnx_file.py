"""ONNX: the predictions as a graph, which ONNX Runtime and others run without torch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hpc_dl import installed
from hpc_dl.predictor.formats.comparison import Run
from hpc_dl.predictor.formats.torch_export import quiet, refusal, shapes, traced
from hpc_dl.zoo.trained import Trained

_NEEDED = ("onnx", "onnxscript", "onnxruntime")
_ERRORS_ALONE = 3
"""The level from which ONNX Runtime prints what it logs."""


def write(trained: Trained, file: Path) -> dict[str, list[int | str]]:
    """Write the graph; return the shapes of its inputs. Raises UserError for a network that ONNX
    does not express, and without the extra `onnx`."""
    for module in _NEEDED:
        installed.require(module, "onnx", "--format onnx")
    program = traced(trained)
    taken = shapes(trained, program)
    free = tuple(
        {axis: name for axis, name in enumerate(shape) if isinstance(name, str)}
        for shape in taken.values()
    )
    with _refusing("ONNX does not express this network"), quiet():
        found = torch.onnx.export(
            program,
            input_names=[*taken],
            output_names=[*program.call_spec.out_spec.context],
            dynamic_shapes=(free,),
            verbose=False,
        )
        assert found is not None
        content = found.model_proto.SerializeToString()  # one file; fails from 2 GiB on
    file.write_bytes(content)
    return taken


def read(trained: Trained, file: Path) -> Run:
    """Return what runs a written graph with ONNX Runtime, on the CPU."""
    runtime: Any = installed.require("onnxruntime", "onnx", "--format onnx")
    options = runtime.SessionOptions()
    options.log_severity_level = _ERRORS_ALONE
    with _refusing("ONNX Runtime does not load this network"):
        session = runtime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    outputs = [it.name for it in session.get_outputs()]

    def run(inputs: Sequence[Tensor]) -> dict[str, Tensor]:
        given = {name: it.numpy() for name, it in zip(trained.inputs, inputs, strict=True)}
        with _refusing("ONNX Runtime does not run this network"):
            found = session.run(None, given)
        return dict(zip(outputs, map(torch.from_numpy, found), strict=True))

    return run


@contextlib.contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Raise UserError for any error, with the reason of the first one of its causes."""
    try:
        yield
    except Exception as error:  # both raise many kinds
        first: BaseException = error
        while first.__cause__ is not None:
            first = first.__cause__
        raise refusal(what, first) from error
