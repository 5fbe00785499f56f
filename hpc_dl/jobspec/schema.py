"""The JSON Schema of job specs, with each part's `name` telling which options it has."""

from __future__ import annotations

from typing import Any

from hpc_dl.jobspec.job import JobSpec


def schema() -> dict[str, Any]:
    """The schema of `JobSpec`, in the dialect that yaml-language-server reads (draft 7 and on)."""
    said = JobSpec.model_json_schema()
    for part in said["$defs"].values():
        _let_numbers_be_times(part["properties"])
    said["title"] = "hpcdl job spec"
    return said


def _let_numbers_be_times(properties: dict[str, Any]) -> None:
    """`time: 90` and `mem: 4000` are numbers to YAML, and as good as the same in quotes."""
    for name in ("time", "mem"):
        if name in properties:
            properties[name].pop("type", None)
            properties[name].pop("anyOf", None)
            properties[name]["type"] = ["string", "integer", "null"][: 3 if name == "mem" else 2]
