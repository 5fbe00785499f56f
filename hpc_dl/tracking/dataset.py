"""The data of a run as an MLflow data set: name, digest, source and sizes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hpc_dl.run.layout import RunDir
from hpc_dl.tracking import description
from hpc_dl.tracking.store import describe_error, http_code

if TYPE_CHECKING:
    from mlflow import MlflowClient

_UNKNOWN = ("INVALID_PARAMETER_VALUE", "ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED")
"""Error codes of servers before MLflow 2.4, which have no data sets."""


def log(client: MlflowClient, mlflow_id: str, run: RunDir) -> str:
    """Log the data as the run's input, once; return why the store refused it, or ""."""
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.exceptions import MlflowException

    found = describe(run)
    if not found["digest"]:
        return ""
    tags = [InputTag("mlflow.data.context", "training")]
    try:
        client.log_inputs(mlflow_id, [DatasetInput(Dataset(**found), tags)])
    except MlflowException as error:
        if error.error_code not in _UNKNOWN and http_code(error) != "404":
            raise
        return describe_error(error)
    return ""


def describe(run: RunDir) -> dict[str, Any]:
    """Return the fields of MLflow's `Dataset`; the digest is "" where the run has none."""
    data = description.data_section(run)
    digest = description.read_mapping(run.fingerprint).get("digest")
    facts = description.read_mapping(run.plan).get("facts")
    known = facts if isinstance(facts, dict) else {}
    place = data.get("root") or data.get("path") or data.get("name")
    sizes = {name: known.get(name) for name in ("train", "validation", "test")}
    return {
        "name": description.clean_text(str(data.get("name")), _LONGEST_NAME),
        "digest": digest if isinstance(digest, str) else "",
        "source_type": "local",
        "source": json.dumps({"uri": str(place)}),
        "schema": json.dumps(_schema(known)),
        "profile": json.dumps(sizes),
    }


def _schema(facts: dict[str, Any]) -> dict[str, Any]:
    """The modality of the data and the shapes of its inputs, now or in an old run folder."""
    inputs = facts.get("inputs")
    shapes = {name: it.get("shape") for name, it in inputs.items()} if inputs else {}
    return {
        "modality": facts.get("modality", facts.get("kind")),
        "shape": shapes or facts.get("shape"),
    }


_LONGEST_NAME = 500
"""Characters that MLflow's databases keep."""
