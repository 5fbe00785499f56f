"""The data of a run as MLflow data sets, one a split: name, digest, source, tensors and size."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hpc_dl.run.layout import RunDir
from hpc_dl.tracking import description
from hpc_dl.tracking.store import describe_error, http_code

if TYPE_CHECKING:
    from mlflow import MlflowClient

_UNKNOWN = ("INVALID_PARAMETER_VALUE", "ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED")
"""Error codes of servers before MLflow 2.4, which have no data sets."""


def log(client: MlflowClient, mlflow_id: str, run: RunDir) -> str:
    """Log the splits as the run's inputs, once; return why the store refused them, or ""."""
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.exceptions import MlflowException

    inputs = [
        DatasetInput(Dataset(**it), [InputTag("mlflow.data.context", split)])
        for split, it in describe(run).items()
    ]
    if not inputs:
        return ""
    try:
        client.log_inputs(mlflow_id, inputs)
    except MlflowException as error:
        if error.error_code not in _UNKNOWN and http_code(error) != "404":
            raise
        return describe_error(error)
    return ""


def describe(run: RunDir) -> dict[str, dict[str, Any]]:
    """Return the fields of MLflow's `Dataset` by split; {} where the run has no digest.

    Names differ, for MLflow knows a data set by name and digest, and has one context of each.
    """
    digest = description.read_mapping(run.fingerprint).get("digest")
    if not isinstance(digest, str):
        return {}
    data, facts = description.section(run, "data"), description.facts(run)
    name = description.clean_text(str(data.get("name")), _LONGEST_NAME)
    common = {
        "digest": digest,
        "source_type": "local",
        "source": json.dumps({"uri": str(data.get("root") or data.get("path") or name)}),
        "schema": json.dumps({"mlflow_colspec": _columns(facts)}),
    }
    sizes = {"training": facts.get("train")}  # its count is unknown in old run folders
    sizes |= {split: facts[split] for split in ("validation", "test") if facts.get(split)}
    return {
        split: {
            **common,
            "name": name if split == "training" else f"{name} ({split})",
            "profile": json.dumps({"examples": size}),
        }
        for split, size in sizes.items()
    }


def _columns(facts: dict[str, Any]) -> list[dict[str, str]]:
    """Return name and type of the tensors of an example, such as `float (1, 8, 8)`."""
    tensors = {**(facts.get("inputs") or {}), **(facts.get("targets") or {})}
    return [
        {"name": name, "type": f"{it.get('dtype')} {_shape(it.get('shape') or ())}"}
        for name, it in tensors.items()
    ]


def _shape(axes: Sequence[int | None]) -> str:
    return f"({', '.join('?' if size is None else str(size) for size in axes)})"


_LONGEST_NAME = 480
"""MLflow's databases keep 500 characters."""
