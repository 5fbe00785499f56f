"""What is tried in another process, which may hang or crash: a mount that is gone, a driver."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from hpc_dl.errors import UserError
from hpc_dl.installed import PYTHON


def ask(
    module: str,
    *words: str,
    seconds: float,
    who: str,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the JSON that `python -m MODULE WORDS` prints.

    Raises UserError, about `who`, where it fails or does not answer in time; a process that hangs
    in the kernel is left behind.
    """
    process = subprocess.Popen(
        [*PYTHON, "-m", module, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
        env={**os.environ, **environment},
    )
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise UserError(f"{who} does not answer within {seconds:g} s") from None
    except BaseException:
        process.kill()
        raise
    try:
        found: dict[str, Any] = json.loads(output.splitlines()[-1])
    except (ValueError, IndexError):
        last = (errors.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
        raise UserError(f"{who}: {last}") from None
    return found
