"""Formats in which a trained network leaves hpcdl: a file that is compared with the network, and a
JSON file beside it that says what it takes and gives."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import Tensor

from hpc_dl.errors import UserError
from hpc_dl.jobspec.input_names import HOLDS
from hpc_dl.predictor.formats import held_out, onnx_file, torch_export, weights
from hpc_dl.predictor.formats.comparison import TOLERANCE, Run, compare
from hpc_dl.predictor.formats.network import Network, longest, made_up, padded
from hpc_dl.run.layout import RunDir
from hpc_dl.zoo import trained as trained_networks
from hpc_dl.zoo.trained import Trained

EXAMPLES = (3, 1)
"""In the batches of made-up inputs, other numbers than the graph was found by; the second has
sequences of half the length, where that is free."""
HELD_OUT = (8, 3, 1)
"""In the batches of test examples."""


@dataclass(frozen=True)
class Format:
    """How a file is written, and run again."""

    write: Callable[[Trained, Path], dict[str, list[int | str]]]
    """Returns the shape of each input; a name where it is free."""
    read: Callable[[Trained, Path], Run]


FORMATS = {
    "torch-export": Format(torch_export.write, torch_export.read),
    "onnx": Format(onnx_file.write, onnx_file.read),
    "safetensors": Format(weights.write, weights.read),
}


@dataclass(frozen=True)
class Compared:
    """On what a file and its network were compared, and how far they are apart."""

    largest_difference: float
    test_examples: int
    made_up: int
    why_no_test_examples: str = ""
    tolerance: float = TOLERANCE

    def __str__(self) -> str:
        on = f"{self.test_examples} test examples and {self.made_up} made-up inputs"
        if not self.test_examples:
            on = f"{self.made_up} made-up inputs; no test examples: {self.why_no_test_examples}"
        return f"{self.largest_difference:.2g} on {on}"


def write(export: Path, name: str, file: Path, run: RunDir | None = None) -> Compared:
    """Write a trained network in a format, and `FILE.json`; return how its predictions were
    compared with the network's, on test examples of its `run` where they are within reach.

    Raises UserError for a network that the format does not hold, and where they differ: then no
    file is left or replaced.
    """
    trained, of = trained_networks.load(export), FORMATS[name]
    part = file.with_name(f".{file.name}.{os.getpid()}{file.suffix}")
    try:
        shapes, network = of.write(trained, part), Network(trained)
        count, examples, why_not = _test_examples(trained, run)
        lengths = longest(trained), -(-longest(trained) // 2)
        made = [made_up(trained, *it) for it in zip(EXAMPLES, lengths, strict=True)]
        batches = [padded(it, shapes) for it in [*made, *examples]]
        difference = compare(lambda it: network(*it), of.read(trained, part), batches)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    compared = Compared(difference, count, sum(EXAMPLES), why_not)
    described = _describe(trained, export, name, shapes) | {"comparison": asdict(compared)}
    file.with_name(f"{file.name}.json").write_text(json.dumps(described, indent=2) + "\n")
    return compared


def _test_examples(trained: Trained, run: RunDir | None) -> tuple[int, list[list[Tensor]], str]:
    """Return how many test examples there are, and batches of them; without any, why."""
    if run is None:
        return 0, [], "the run is not here"
    try:
        return *held_out.batches(trained, run, HELD_OUT), ""
    except UserError as error:
        return 0, [], error.message


def _describe(
    trained: Trained, export: Path, name: str, shapes: dict[str, list[int | str]]
) -> dict[str, Any]:
    facts, ranges = trained.architecture.facts, trained.architecture.ranges()
    exported = json.loads((export / "model.json").read_text())
    inputs = [
        {
            "name": it,
            "shape": shape,
            "dtype": trained.inputs[it]["dtype"],
            **({"range": [*ranges[it]]} if it in ranges else {}),
            **(
                {"rate": facts.inputs[it].rate}
                if it in facts.inputs and facts.inputs[it].rate
                else {}
            ),
            **({"holds": HOLDS[it]} if it in HOLDS else {}),
        }
        for it, shape in shapes.items()
    ]
    return {
        "format": name,
        "torch": version("torch"),
        "task": facts.task,
        "inputs": inputs,
        "outputs": {key: it for key, it in exported["outputs"].items() if it["dtype"] != "str"},
        "classes": [*facts.classes],
        "columns": [*facts.columns],
        "model": exported["model"],
        "weights": exported.get("weights", {}).get("described", "unknown"),
    }
