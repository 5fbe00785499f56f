"""Facts of a source that only its code can tell, asked of it in another process.

`python -m hpc_dl.data.describe CODE DATA_ROOT` reads a source's options as JSON, and writes its
facts, or the `message` and `hint` of an error, as JSON. The login node's command need not import
torch for it.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from hpc_dl.data import sources
from hpc_dl.data.source import Source
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.sources import DataSpec
from hpc_dl.user_code import asking, failures

SECONDS = 300
"""Time limit of the process."""


def in_subprocess(source: Source[Any]) -> DataFacts:
    """Return the facts of a source, loaded in another process. Raises UserError if that fails."""
    name = source.options.name
    words = [str(source.code), str(source.data_root)]
    asked = asking.ask("hpc_dl.data.describe", words, source.options.model_dump_json(), SECONDS)
    if asked.code is None:
        raise UserError(
            f"data.name: {name} did not return within {SECONDS} s",
            hint="It is called at submission, for what the plan needs to know of its examples.",
        )
    if not asked.out:
        raise UserError(
            f"data.name: {name} ended its process ({failures.ending(asked.code)})",
            hint="\n".join(asked.err.strip().splitlines()[-5:]),
        )
    return read_answer(json.loads(asked.out))


def read_answer(answer: dict[str, Any]) -> DataFacts:
    """Return the facts in an answer. Raises UserError where it is an error."""
    if "message" in answer:
        names_option = re.match(r"data(\.\w+)?: ", answer["message"])
        where = "" if names_option else "data.name: "
        raise UserError(f"{where}{answer['message']}", hint=answer["hint"])
    return _facts().validate_python(answer)


@functools.cache
def _facts() -> TypeAdapter[DataFacts]:
    return TypeAdapter(DataFacts)


def main() -> None:
    with os.fdopen(os.dup(1), "w") as asking_process:
        os.dup2(2, 1)  # what is printed on the way, also by programs that are started
        options = TypeAdapter(DataSpec).validate_json(sys.stdin.read())
        code, data_root = (Path(word).resolve() for word in sys.argv[1:])
        json.dump(answer(sources.build(options, data_root, code)), asking_process)
    os._exit(0)  # and wait for no thread of the user's


def answer(source: Source[Any]) -> dict[str, Any]:
    """Return the facts of a source, or an error, to be written as JSON."""
    try:
        facts, _ = source.load()
    except UserError as error:
        return {"message": error.message, "hint": error.hint}
    except (Exception, SystemExit) as error:
        failure = failures.describe(error, source.options.name)
        return {"message": failure.message, "hint": failure.hint}
    return dataclasses.asdict(facts)


if __name__ == "__main__":
    main()
