"""What is known of a source without loading it, and whether its data are where a job finds them.

Light: the login node asks this before it submits.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pydantic import TypeAdapter

from hpc_dl.data import folders, idx
from hpc_dl.data.counts import split_counts
from hpc_dl.errors import UserError
from hpc_dl.spec.data import Data, DataFacts
from hpc_dl.spec.sources import MNIST, Digits, FashionMNIST, ImageFolder, OwnData

DIGITS = 1797
"""Examples in scikit-learn's digits."""
DESCRIBE_SECONDS = 300


def facts(source: Data, data_root: Path, code: Path = Path()) -> DataFacts:
    """Everything that a plan needs to know of a source.

    A user's own source is asked in another process, which may import torch; its file is looked
    for in `code`. Raises UserError where the data are not there, or not all of them.
    """
    match source:
        case Digits():
            sizes = split_counts({"train": DIGITS}, source.validation, source.test)
            return DataFacts("image", "classify", (1, 8, 8), tuple("0123456789"), *sizes)
        case MNIST() | FashionMNIST():
            idx.check(source, data_root)
            sizes = split_counts(idx.EXAMPLES, source.validation, 0)
            return DataFacts("image", "classify", (1, 28, 28), idx.CLASSES[source.name], *sizes)
        case ImageFolder():
            return folders.facts(source, folders.scan(source))
        case OwnData():
            return _ask(source, code)
    raise AssertionError(f"{source!r} is none of hpcdl's sources")


def _ask(source: OwnData, code: Path) -> DataFacts:
    """Have a user's own source describe itself."""
    try:
        asked = subprocess.run(
            [sys.executable, "-m", "hpc_dl.data.describe", str(code)],
            input=source.model_dump_json(),
            capture_output=True,
            text=True,
            check=False,
            timeout=DESCRIBE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            f"data.name: {source.name} did not return within {DESCRIBE_SECONDS} s",
            hint="It is called at submission, for what the plan needs to know of its examples.",
        ) from None
    if asked.returncode:
        raise UserError(
            f"data.name: {source.name} ended its process with {asked.returncode}",
            hint=asked.stderr.strip(),
        )
    said = json.loads(asked.stdout.splitlines()[-1])
    if "message" in said:
        raise UserError(f"data.name: {said['message']}", hint=said["hint"])
    return TypeAdapter(DataFacts).validate_python(said)
