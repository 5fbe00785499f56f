"""Formats in which a trained network leaves hpcdl: a file that is compared with the network, and a
JSON file beside it that says what it takes and gives."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hpc_dl.predictor.formats import torch_export, weights
from hpc_dl.predictor.formats.comparison import TOLERANCE, Run, compare
from hpc_dl.predictor.formats.network import Network, longest, made_up
from hpc_dl.zoo import trained as trained_networks
from hpc_dl.zoo.trained import Trained

EXAMPLES = (3, 1)
"""In the batches of the comparison, other numbers than the graph was found by."""
_TAKES = {
    "image": "pictures, channels first, of floats: bytes divided by 255; what the network "
    "normalises it does itself",
    "video": "clips, (batch, frames, channels, height, width), of floats: bytes divided by 255",
    "table": "rows of the numbers in `columns`, in the units of the data; the network standardises",
    "text": "numbers of tokens, by `assets` of the export; padded at the end with 0",
    "audio": "samples in [-1, 1] at `rate` a second, one channel; padded at the end with 0",
    "sequence": "steps of numbers, in the units of the training data",
    "music": "1 where a key of the piano sounds, else 0; padded at the end with 0",
    "node": "the features of each node",
    "edge": "from which node to which, by number",
    "graph": "the number of the graph of each node",
}
"""By the name of an input: what it holds."""


@dataclass(frozen=True)
class Format:
    """How a file is written, and run again."""

    write: Callable[[Trained, Path], dict[str, list[int | str]]]
    """Returns the shape of each input; a name where it is free."""
    read: Callable[[Trained, Path], Run]


FORMATS = {
    "torch-export": Format(torch_export.write, torch_export.read),
    "safetensors": Format(weights.write, weights.read),
}


def write(export: Path, name: str, file: Path) -> float:
    """Write a trained network in a format, and `FILE.json`; return the largest difference of its
    predictions from the network's.

    Raises UserError for a network that the format does not hold, and where they differ: then no
    file is left or replaced.
    """
    trained, of = trained_networks.load(export), FORMATS[name]
    part = file.with_name(f".{file.name}.{os.getpid()}{file.suffix}")
    try:
        shapes, network = of.write(trained, part), Network(trained)
        batches = [made_up(trained, count, longest(trained)) for count in EXAMPLES]
        difference = compare(lambda it: network(*it), of.read(trained, part), batches)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    described = _describe(trained, export, name, shapes)
    described["comparison"] = {
        "largest_difference": difference,
        "tolerance": TOLERANCE,
        "examples": [*EXAMPLES],
        "inputs": "made up, within the ranges of the inputs",
    }
    file.with_name(f"{file.name}.json").write_text(json.dumps(described, indent=2) + "\n")
    return difference


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
            **({"holds": _TAKES[it]} if it in _TAKES else {}),
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
