"""Login to the dashboard by its address alone; MLflow's server calls `authenticate` for a request.

With a password in the address of a page Chromium refuses what MLflow's scripts then fetch. So the
address is that of a page of our own, from which the browser keeps the password, and goes on to
MLflow's pages. It also chooses MLflow's mode for training runs, which the browser keeps, unless a
user has chosen one there.
"""

from __future__ import annotations

from flask import Response, request
from mlflow.server.auth import authenticate_request_basic_auth
from werkzeug.datastructures import Authorization

from hpc_dl.tracking.dashboard import LOGIN

_PAGE = """\
<!DOCTYPE html><title>MLflow</title><script>
const mode = "mlflow.workflowType_v1";
if (!localStorage.getItem(mode)) localStorage.setItem(mode, '"machine_learning"');
location.replace(location.origin + "/" + location.hash);
</script>
"""


def authenticate() -> Authorization | Response:
    """Check the password; answer a login with the page that goes on."""
    found: Authorization | Response = authenticate_request_basic_auth()
    if isinstance(found, Response) or request.path != LOGIN:
        return found
    return Response(_PAGE, mimetype="text/html")
