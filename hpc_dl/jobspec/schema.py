"""The JSON Schema of job specs, and what it says of the options of a part."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpc_dl.jobspec.base import Spec
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.yaml_text import scalar

_TYPES = {
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "mapping",
}
_BOUNDS = {
    "exclusiveMinimum": "> {}",
    "minimum": ">= {}",
    "exclusiveMaximum": "< {}",
    "maximum": "<= {}",
}


def schema() -> dict[str, Any]:
    """Return the schema of job specs, in the dialect of yaml-language-server (draft 7 and on)."""
    found = JobSpec.model_json_schema()
    for part in found["$defs"].values():
        _let_numbers_be_times(part["properties"])
    found["title"] = "hpcdl job spec"
    return found


def _let_numbers_be_times(properties: dict[str, Any]) -> None:
    """Let `time` and `mem` be numbers too: `90` and `4000` are such in YAML."""
    for name in ("time", "mem"):
        if name in properties:
            properties[name].pop("type", None)
            properties[name].pop("anyOf", None)
            properties[name]["type"] = ["string", "integer", "null"][: 3 if name == "mem" else 2]


@dataclass(frozen=True)
class Option:
    """One key of a part of a spec; `takes` says in words what may be written."""

    name: str
    takes: str
    default: Any
    required: bool
    about: str


def options(part: type[Spec]) -> list[Option]:
    """Return the options of a part of a spec, but for the name by which it is chosen and those
    that it refuses."""
    whole, left_out = part.model_json_schema(), {"name", *part.refused_options()}
    definitions = whole.get("$defs", {})
    return [
        Option(
            name,
            describe_type(schema, definitions),
            schema.get("default"),
            name in whole.get("required", []),
            schema.get("description", ""),
        )
        for name, schema in whole["properties"].items()
        if name not in left_out
    ]


def describe_type(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Return what may be written for a value with a JSON Schema: `relu | tanh`, `number > 0`."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if either := schema.get("anyOf") or schema.get("oneOf"):
        kinds = [describe_type(it, definitions) for it in either if it.get("type") != "null"]
        return " | ".join(dict.fromkeys(kinds))
    if "const" in schema or "enum" in schema:
        return " | ".join(map(str, schema.get("enum") or [schema["const"]]))
    if schema.get("type") == "array":
        return f"list of {describe_type(schema.get('items', {}), definitions)}"
    if keys := schema.get("properties"):
        return _names(keys["name"]) if "name" in keys else "{" + ", ".join(keys) + "}"
    bounds = [text.format(f"{schema[key]:g}") for key, text in _BOUNDS.items() if key in schema]
    kind = _TYPES.get(schema.get("type", ""), "text" if schema else "any value")
    return " ".join([kind, " and ".join(bounds)]).strip()


def _names(schema: Mapping[str, Any]) -> str:
    """Return the names that choose a part, or of a user's their form, which describes them."""
    names = schema.get("enum") or [schema.get("const") or schema["description"]]
    return " | ".join(names)


def to_yaml(value: Any) -> str:
    """Return a value on one line of YAML."""
    match value:
        case Spec():
            return to_yaml(value.model_dump(mode="json"))
        case dict():
            return "{" + ", ".join(f"{key}: {to_yaml(it)}" for key, it in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(to_yaml, value)) + "]"
        case float():
            return repr(value).replace("e-0", ".0e-") if "e-" in repr(value) else repr(value)
        case str() if value.replace("_", "").replace("-", "").isalnum() and scalar(value) == value:
            return value
    return json.dumps(value)
