"""Try out the tracking store that MLFLOW_TRACKING_URI names, whose password `ps` would show."""

from __future__ import annotations

import json
import os
import sys

from hpc_dl.errors import UserError
from hpc_dl.tracking import store


def fault(uri: str) -> str:
    """Return why a store does not answer; empty if it does."""
    try:
        with store.connect(uri) as client:
            client.search_experiments(max_results=1)
    except UserError as error:
        return error.message
    return ""


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"fault": fault(os.environ["MLFLOW_TRACKING_URI"])}) + "\n")
