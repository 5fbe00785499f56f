"""torch.export: the predictions as a graph, which torch runs without hpcdl."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch.export import Dim, ExportedProgram
from torch.fx.experimental.symbolic_shapes import is_concrete_int

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.predictor.formats.comparison import Run
from hpc_dl.predictor.formats.network import Network, axis_name, longest, made_up, padded
from hpc_dl.zoo.trained import Trained

TRACED = 4
"""Examples by which the graph is found; how many there are, is free afterwards."""


def write(trained: Trained, file: Path) -> dict[str, list[int | str]]:
    """Write the graph; return the shapes of its inputs. Raises UserError for a network without
    one."""
    program = traced(trained)
    with quiet():
        torch.export.save(program, file)
    return shapes(trained, program)


def read(trained: Trained, file: Path) -> Run:
    """Return what runs a written graph."""
    with quiet():
        module = torch.export.load(file).module()
    return lambda inputs: module(*inputs)


def traced(trained: Trained) -> ExportedProgram:
    """Return the graph of the predictions; the number of examples is free, and the length of
    sequences where the network allows it. Raises UserError with torch's reason where it has none.
    """
    refuse_written(trained)
    program = _traced(trained, Dim.AUTO)
    return program if _takes_shorter(trained, program) else _traced(trained, Dim.STATIC)


def _traced(trained: Trained, length: object) -> ExportedProgram:
    examples = tuple(made_up(trained, TRACED, longest(trained)))
    free = tuple(_free(it["shape"], length) for it in trained.inputs.values())
    first: Exception | None = None
    for strict in (False, True):  # strict follows len(x), and fewer networks
        try:
            with quiet(), torch.no_grad():
                return torch.export.export(
                    Network(trained), examples, dynamic_shapes=(free,), strict=strict
                )
        except Exception as error:  # torch raises many kinds
            first = first or error
    assert first is not None
    raise refusal("torch.export makes no graph of this network", first) from first


def _takes_shorter(trained: Trained, program: ExportedProgram) -> bool:
    """Return whether a graph takes shorter sequences where it says so: what is computed of their
    length may be fixed though the length is not."""
    inputs = made_up(trained, 1, -(-longest(trained) // 2))
    try:
        with quiet(), torch.no_grad():
            program.module()(*padded(inputs, shapes(trained, program)))
    except Exception:  # torch raises many kinds
        return False
    return True


def refuse_written(trained: Trained) -> None:
    """Raise UserError for a network that writes its predictions step by step."""
    task = trained.architecture.task
    if task is not None and task.params is not None:
        raise UserError(
            f"this network writes its predictions step by step ({task.facts.task}), as many as a "
            "call asks for, which is no graph of fixed steps",
            hint="--format safetensors has its weights; `hpcdl predict` and MLflow run it.",
            exit_code=EXIT_FAILED,
        )


def refusal(what: str, error: BaseException) -> UserError:
    """Make the error for a network that is no graph in a format; `what` says so."""
    why = (str(error).strip() or type(error).__name__).partition("\n")[0]
    if why.startswith("Constraints violated"):
        why = (
            "it is fixed to the number of examples; x.shape[0] in place of len(x) leaves that free"
        )
    return UserError(
        f"{what}: {why}",
        hint="--format safetensors has its weights; `hpcdl predict` and MLflow run it.",
        exit_code=EXIT_FAILED,
    )


def shapes(trained: Trained, program: ExportedProgram) -> dict[str, list[int | str]]:
    """Return the shape of each input of a graph: a number where it is fixed, else a name."""
    given = set(program.graph_signature.user_inputs)
    inputs = [
        it.meta["val"].shape
        for it in program.graph.nodes
        if it.op == "placeholder" and it.name in given
    ]
    return {
        name: [
            int(it) if is_concrete_int(it) else axis_name(name, axis)
            for axis, it in enumerate(shape)
        ]
        for name, shape in zip(trained.inputs, inputs, strict=True)
    }


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Leave out what torch logs, prints and warns while it tries."""
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def _free(shape: Sequence[int], length: object) -> dict[int, object]:
    axes = [axis for axis, size in enumerate(shape) if size == -1]
    return {axis: Dim.DYNAMIC if axis == 0 else length for axis in axes}
