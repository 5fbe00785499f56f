"""Python lines that load an export and predict; zeros stand for the user's data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hpc_dl.jobspec.facts import Column, DataFacts

_TEXTS = {"dna": "ACGT" * 15}
_DAY = datetime(2026, 1, 1)


def lines(facts: DataFacts, inputs: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the lines for the folder of the export; `inputs` are those of its `model.json`."""
    given = _given(facts, inputs)
    numpy = "import numpy as np\n\n" if "np." in given else ""
    return (
        f"{numpy}from hpc_dl.predictor import load\n\n"
        f'network = load(".")  # the folder of this card\n'
        f"print(network.predict({given}))\n"
    )


def _given(facts: DataFacts, inputs: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the expression of what `predict` takes."""
    if facts.modality == "text":
        return repr([_text(facts)])
    if facts.raw and set(inputs) == {"table"}:
        return repr({it.name: [_value(it)] for it in facts.raw if it.part == "input"})
    if facts.modality == "audio":
        rate = facts.inputs["audio"].rate
        return f'{{"audio": np.zeros({int(rate)}), "rate": {rate:g}}}'
    if facts.modality == "music":
        return '{"music": np.eye(4, 88)}'
    arrays = {name: _array(name, it["shape"]) for name, it in inputs.items()}
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    return "{" + ", ".join(f'"{name}": {it}' for name, it in arrays.items()) + "}"


def _array(name: str, shape: list[int]) -> str:
    """Return two examples; of a graph, two nodes that are connected."""
    if name == "edge":
        return "[[0, 1], [1, 0]]"
    sizes = tuple(2 if it == -1 else it for it in shape)
    whole = ", dtype=int" if len(sizes) == 1 else ""
    return f"np.zeros({sizes}{whole})"


def _text(facts: DataFacts) -> str:
    """Return a text of tokens that the network knows."""
    feature = facts.inputs["text"]
    if feature.tokens in _TEXTS:
        return _TEXTS[feature.tokens]
    known = [it for it in feature.vocabulary if it.isalpha()][:4]
    return ("" if feature.tokens == "characters" else " ").join(known) or "to be or not to be"


def _value(column: Column) -> Any:
    match column.type:
        case "words":
            return column.words[0] if column.words else "a"
        case "bool":
            return True
        case "date":
            return _DAY.strftime(column.format or "%Y-%m-%d")
    return 0.0
