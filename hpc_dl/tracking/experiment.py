"""The page of an experiment in MLflow: its mode, its description, and a table with metrics.

MLflow keeps all of them in tags of the experiment. Its table of runs shows no metric unless a user
has chosen it; the choice is kept in the browser, or under a name, as a saved view, in such a tag.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from hpc_dl.tracking import description
from hpc_dl.tracking.store import describe_error, http_code

if TYPE_CHECKING:
    from mlflow import MlflowClient

KIND = {"mlflow.experimentKind": "custom_model_development"}
"""The mode for training runs. In MLflow 3.17 the whole browser has one, that for language models
unless a user or the address of a page says otherwise; in others each experiment has its own.
"""
_VIEW, _VIEW_ID, _NOTE = "mlflow.sharedViewState.", "hpcdl", "mlflow.note.content"
_COLUMNS = ["attributes.`Dataset`", "attributes.`Description`"]
_MOST_COLUMNS = 30
_MOST = 10
_LONGEST_TAG = 5000
_REFUSALS = ("INVALID_PARAMETER_VALUE", "PERMISSION_DENIED")


def page(experiment: str) -> str:
    """Return the address of the table with metrics on the server, in the mode for training runs."""
    view = f"viewStateShareKey={_VIEW_ID}&workflowType=machine_learning"
    return f"#/experiments/{experiment}/runs?{view}"


def pages(client: MlflowClient) -> dict[str, str]:
    """Return the addresses of such tables by experiment; those that changed last come first."""
    found = client.search_experiments(max_results=_MOST, order_by=["last_update_time DESC"])
    return {it.name: page(it.experiment_id) for it in found if _VIEW + _VIEW_ID in it.tags}


def show(
    client: MlflowClient, experiment: str, names: Collection[str], options: Collection[str] = ()
) -> str:
    """Give test and validation metrics, and swept options, columns in the view "Metrics" of the
    experiment's runs.

    `names` are those of the journal. An experiment of before also gets its mode and a description,
    unless it has them. Return why the store refused that, or "".
    """
    from mlflow.exceptions import MlflowException

    try:
        _update(client, experiment, _columns(names, options))
    except MlflowException as error:
        if error.error_code not in _REFUSALS and http_code(error) not in ("403", "404"):
            raise
        return describe_error(error)
    return ""


def _update(client: MlflowClient, experiment: str, wanted_columns: Collection[str]) -> None:
    known = client.get_experiment(experiment).tags
    wanted = KIND | {_NOTE: f"Training runs. [Table with their metrics]({page(experiment)})"}
    changed = {key: value for key, value in wanted.items() if key not in known}
    found = _view(known.get(_VIEW + _VIEW_ID), wanted_columns)
    if found is not None:
        changed[_VIEW + _VIEW_ID] = found
    for key, value in changed.items():
        client.set_experiment_tag(experiment, key, value)


def _columns(names: Collection[str], options: Collection[str]) -> list[str]:
    metrics = [it for split in ("test/", "val/") for it in names if it.startswith(split)]
    shown = [f"metrics.`{description.metric_name(it)}`" for it in metrics]
    return [*(f"params.`{description.clean_name(it)}`" for it in options), *shown]


def _view(known: str | None, wanted: Collection[str]) -> str | None:
    """Return the view with these columns, too; None if it has them or is a user's."""
    if not wanted:
        return None
    now = round(time.time() * 1000)
    try:
        view: dict[str, Any] = json.loads(known) if known else {"createdAt": now}
        state = json.loads(view.get("state", "{}"))
        columns = list(state.get("selectedColumns", _COLUMNS))
    except (ValueError, AttributeError, TypeError):
        return None  # MLflow compresses what a user has saved over it
    added = [it for it in wanted if it not in columns][: _MOST_COLUMNS - len(columns)]
    if not added:
        return None
    state["selectedColumns"] = [*columns, *added]
    view |= {"name": "Metrics", "updatedAt": now, "state": json.dumps(state)}
    text = json.dumps(view)
    return text if len(text) <= _LONGEST_TAG else None
