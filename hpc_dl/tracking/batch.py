"""Send metrics, parameters and tags in batches; an item that the store refuses is left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpc_dl.tracking.store import describe_error, http_code

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.exceptions import MlflowException

METRICS = 1000
"""The most metrics in one request."""
_OTHERS = 100
_SHORT = 250
"""The most characters of a parameter in servers before MLflow 2."""
_REFUSED = "INVALID_PARAMETER_VALUE"
_TOO_LARGE = "413"


class Batches:
    """Sends batches to one MLflow run, and records the refused items with the reason."""

    def __init__(self, client: MlflowClient, mlflow_id: str, refused: dict[str, str]) -> None:
        self.client, self.mlflow_id, self.refused = client, mlflow_id, refused

    def metrics(self, items: Sequence[Metric]) -> None:
        self._send("metrics", items, METRICS)

    def params(self, items: Sequence[Param]) -> None:
        self._send("params", items, _OTHERS)

    def tags(self, items: Sequence[RunTag]) -> None:
        self._send("tags", items, _OTHERS)

    def _send(self, kind: str, items: Sequence[Metric | Param | RunTag], limit: int) -> None:
        taken = [item for item in items if f"{kind}: {item.key}" not in self.refused]
        for start in range(0, len(taken), limit):
            self._log(kind, taken[start : start + limit])

    def _log(self, kind: str, items: Sequence[Metric | Param | RunTag]) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.client.log_batch(self.mlflow_id, **{kind: items})
        except MlflowException as error:
            self._bisect(kind, items, error)

    def _bisect(
        self, kind: str, items: Sequence[Metric | Param | RunTag], error: MlflowException
    ) -> None:
        """Send a refused batch in halves, until the item at fault is alone."""
        from mlflow.entities import Param

        code = http_code(error)  # of a proxy before MLflow: no item is at fault
        if code != _TOO_LARGE and (code or error.error_code != _REFUSED):
            raise error
        self._raise_if_deleted(error)
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
            self.refused[f"{kind}: {first.key}"] = describe_error(error)

    def _raise_if_deleted(self, error: MlflowException) -> None:
        """Raise the error if the MLflow run was deleted: then it refuses every item."""
        if self.client.get_run(self.mlflow_id).info.lifecycle_stage != "active":
            raise error
