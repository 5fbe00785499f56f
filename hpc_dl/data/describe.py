"""`python -m hpc_dl.data.describe CODE`: a user's own source comes in, its facts go out.

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

from hpc_dl.data import own
from hpc_dl.errors import UserError
from hpc_dl.spec.sources import OwnData


def main() -> None:
    source = OwnData.model_validate_json(sys.stdin.read())
    with contextlib.redirect_stdout(sys.stderr):  # what the user's function prints
        said = _describe(source, Path(sys.argv[1]).resolve())
    sys.stdout.write("\n" + json.dumps(said) + "\n")


def _describe(source: OwnData, code: Path) -> dict[str, Any]:
    try:
        facts, _ = own.load(source, code)
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
