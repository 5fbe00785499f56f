"""The options of any part of a spec, in words: what one may write, the default, what it means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpc_dl.jobspec.base import Spec

_TYPES = {"integer": "whole number", "number": "number", "boolean": "true or false"}
_BOUNDS = {
    "exclusiveMinimum": "> {}",
    "minimum": ">= {}",
    "exclusiveMaximum": "< {}",
    "maximum": "<= {}",
}


@dataclass(frozen=True)
class Option:
    """One key of a part of a spec; `takes` says in words what may be written."""

    name: str
    takes: str
    default: Any
    required: bool
    about: str


def options(part: type[Spec]) -> list[Option]:
    """The options of a part of a spec, but for the name by which it is chosen."""
    schema = part.model_json_schema()
    definitions = schema.get("$defs", {})
    return [
        Option(
            name,
            takes(said, definitions),
            said.get("default"),
            name in schema.get("required", []),
            said.get("description", ""),
        )
        for name, said in schema["properties"].items()
        if name != "name"
    ]


def takes(said: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What may be written for a value, given its JSON Schema: `relu | tanh`, `number > 0`."""
    if "$ref" in said:
        said = definitions[said["$ref"].rpartition("/")[2]]
    if either := said.get("anyOf") or said.get("oneOf"):
        kinds = [takes(it, definitions) for it in either if it.get("type") != "null"]
        return " | ".join(dict.fromkeys(kinds))
    if "const" in said or "enum" in said:
        return " | ".join(map(str, said.get("enum") or [said["const"]]))
    if said.get("type") == "array":
        return f"list of {takes(said.get('items', {}), definitions)}"
    if keys := said.get("properties"):
        return str(keys["name"]["const"]) if "name" in keys else "{" + ", ".join(keys) + "}"
    bounds = [text.format(f"{said[key]:g}") for key, text in _BOUNDS.items() if key in said]
    return " ".join([_TYPES.get(said.get("type", ""), "text"), " and ".join(bounds)]).strip()


def written(value: Any) -> str:
    """A value as one writes it on one line of YAML."""
    match value:
        case Spec():
            return written(value.model_dump(mode="json"))
        case dict():
            return "{" + ", ".join(f"{key}: {written(it)}" for key, it in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(written, value)) + "]"
        case float():
            return repr(value).replace("e-0", ".0e-") if "e-" in repr(value) else repr(value)
        case str() if value.replace("_", "").replace("-", "").isalnum():
            return value
    return json.dumps(value)
