"""Facts of a source that only its code can tell, asked of it in another process.

`python -m hpc_dl.data.describe CODE DATA_ROOT` reads a source's options as JSON, and writes its
facts, or the `message` and `hint` of an error, as JSON in the last line of its output. The login
node's command need not import torch for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from hpc_dl.data import sources
from hpc_dl.data.source import Source
from hpc_dl.errors import UserError
from hpc_dl.installed import PYTHON
from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.sources import DataSpec

SECONDS = 300
"""Time limit of the process."""


def in_subprocess(source: Source[Any]) -> DataFacts:
    """Return the facts of a source, loaded in another process. Raises UserError if that fails."""
    name = source.options.name
    try:
        asked = subprocess.run(
            [*PYTHON, "-m", "hpc_dl.data.describe", str(source.code), str(source.data_root)],
            input=source.options.model_dump_json(),
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            f"data.name: {name} did not return within {SECONDS} s",
            hint="It is called at submission, for what the plan needs to know of its examples.",
        ) from None
    if asked.returncode:
        raise UserError(
            f"data.name: {name} ended its process with {asked.returncode}",
            hint=asked.stderr.strip(),
        )
    answer = json.loads(asked.stdout.splitlines()[-1])
    if "message" in answer:
        raise UserError(f"data.name: {answer['message']}", hint=answer["hint"])
    return TypeAdapter(DataFacts).validate_python(answer)


def main() -> None:
    options = TypeAdapter(DataSpec).validate_json(sys.stdin.read())
    code, data_root = (Path(word).resolve() for word in sys.argv[1:])
    with contextlib.redirect_stdout(sys.stderr):  # what the user's function prints
        answer = _answer(sources.build(options, data_root, code))
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


def _answer(source: Source[Any]) -> dict[str, Any]:
    try:
        facts, _ = source.load()
    except UserError as error:
        return {"message": error.message, "hint": error.hint}
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        theirs = [it for it in frames if Path(it.filename).is_relative_to(source.code)]
        place = "".join(f" ({frame.filename}:{frame.lineno})" for frame in theirs[-1:])
        name = source.options.name
        return {"message": f"{name}: {type(error).__name__}: {error}{place}", "hint": ""}
    return dataclasses.asdict(facts)


if __name__ == "__main__":
    main()
