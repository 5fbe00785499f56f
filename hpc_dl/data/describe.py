"""`python -m hpc_dl.data.describe CODE DATA_ROOT`: a source comes in, its facts go out.

A process of its own, so that the login node's command need not import torch. The last line of
its output is JSON: the facts, or the `message` and `hint` of an error.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import traceback
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from hpc_dl.data import loading
from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import Data
from hpc_dl.jobspec.sources import DataSpec


def main() -> None:
    source = TypeAdapter(DataSpec).validate_json(sys.stdin.read())
    code, data_root = (Path(word).resolve() for word in sys.argv[1:])
    with contextlib.redirect_stdout(sys.stderr):  # what the user's function prints
        said = _describe(source, code, data_root)
    sys.stdout.write("\n" + json.dumps(said) + "\n")


def _describe(source: Data, code: Path, data_root: Path) -> dict[str, Any]:
    try:
        facts, _ = loading.given(source, data_root, code)
    except UserError as error:
        return {"message": error.message, "hint": error.hint}
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        theirs = [frame for frame in frames if Path(frame.filename).is_relative_to(code)]
        place = "".join(f" ({frame.filename}:{frame.lineno})" for frame in theirs[-1:])
        return {"message": f"{source.name}: {type(error).__name__}: {error}{place}", "hint": ""}
    return dataclasses.asdict(facts)


if __name__ == "__main__":
    main()
