"""Metrics, parameters and tags in batches: one that the store refuses holds up no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpc_dl.tracking.store import http_code, what

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.exceptions import MlflowException

METRICS = 1000
"""Metrics that one request may hold."""
_OTHERS = 100
_SHORT = 250
"""Characters of a parameter that servers of before MLflow 2 take."""
_REFUSED = "INVALID_PARAMETER_VALUE"
_TOO_LARGE = "413"


class Batches:
    """Sends to one MLflow run, and remembers what was refused."""

    def __init__(self, client: MlflowClient, mlflow_id: str, refused: dict[str, str]) -> None:
        self.client, self.mlflow_id, self.refused = client, mlflow_id, refused

    def metrics(self, items: Sequence[Metric]) -> None:
        self._send("metrics", items, METRICS)

    def params(self, items: Sequence[Param]) -> None:
        self._send("params", items, _OTHERS)

    def tags(self, items: Sequence[RunTag]) -> None:
        self._send("tags", items, _OTHERS)

    def _send(self, kind: str, items: Sequence[Metric | Param | RunTag], most: int) -> None:
        taken = [item for item in items if f"{kind}: {item.key}" not in self.refused]
        for start in range(0, len(taken), most):
            self._log(kind, taken[start : start + most])

    def _log(self, kind: str, items: Sequence[Metric | Param | RunTag]) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.client.log_batch(self.mlflow_id, **{kind: items})
        except MlflowException as error:
            self._separate(kind, items, error)

    def _separate(
        self, kind: str, items: Sequence[Metric | Param | RunTag], error: MlflowException
    ) -> None:
        """Send a batch that was refused by halves, until what is wrong is alone."""
        from mlflow.entities import Param

        code = http_code(error)  # of whoever is before MLflow: that says nothing about an item
        if code != _TOO_LARGE and (code or error.error_code != _REFUSED):
            raise error
        self._check_that_the_run_takes_anything(error)
        keys, first = sorted({item.key for item in items}), items[0]
        if len(keys) > 1:
            half = set(keys[: len(keys) // 2])
            self._log(kind, [item for item in items if item.key in half])
            self._log(kind, [item for item in items if item.key not in half])
        elif code and len(items) > 1:
            self._log(kind, items[: len(items) // 2])
            self._log(kind, items[len(items) // 2 :])
        elif isinstance(first, Param) and len(first.value) > _SHORT:
            self._log(kind, [Param(first.key, first.value[:_SHORT])])
        elif code:
            raise error
        else:
            self.refused[f"{kind}: {first.key}"] = what(error)

    def _check_that_the_run_takes_anything(self, error: MlflowException) -> None:
        """A run that was deleted meanwhile refuses everything, for the same reason."""
        if self.client.get_run(self.mlflow_id).info.lifecycle_stage != "active":
            raise error
