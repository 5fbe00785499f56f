"""What is known of a source without loading it, and whether its data are where a job finds them.

Light: the login node asks this before it submits.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter

from hpc_dl.data import cora, folders, idx, labels
from hpc_dl.data.counts import Holdout, split_counts
from hpc_dl.errors import UserError
from hpc_dl.installed import PYTHON
from hpc_dl.jobspec.data import Data, DataFacts
from hpc_dl.jobspec.sources import (
    MNIST,
    Arrays,
    Cora,
    Digits,
    FashionMNIST,
    GreyImages,
    ImageFolder,
    Karate,
    Table,
)

DIGITS = 1797
"""Examples in scikit-learn's digits."""
KARATE = DataFacts("graph", "classify_nodes", (34,), tuple("0123"), 4, 10, 20, undirected=True)
"""Of the members one of each group is told; every third of the others is for the validation."""
DESCRIBE_SECONDS = 300


def facts(source: Data, data_root: Path, code: Path = Path()) -> DataFacts:
    """Everything that a plan needs to know of a source.

    A library's or a user's own source is asked in another process, which may import torch; the
    user's file is looked for in `code`. Raises UserError where the data are not there, or not all
    of them, or not as they have to be.
    """
    match source:
        case Digits():
            there, classes = {"train": DIGITS}, tuple("0123456789")
            known = _grey(source, (1, 8, 8), classes, there, labels.digits)
        case MNIST() | FashionMNIST():
            idx.check(source, data_root)
            folder = idx.folder(source.name, idx.root_of(source, data_root))
            classes, read = idx.CLASSES[source.name], partial(labels.idx, folder)
            known = _grey(source, (1, 28, 28), classes, idx.EXAMPLES, read)
        case ImageFolder():
            known = folders.facts(source, folders.scan(source))
        case Karate():
            known = KARATE
        case Cora():
            cora.check(source, data_root)
            known = cora.FACTS
        case Table():
            from hpc_dl.data import tables  # numpy, and pandas, for those who have tables

            known, _ = tables.read(source)
        case Arrays():
            from hpc_dl.data import arrays

            known = arrays.facts(source)
        case _:
            known = _ask(source, data_root, code)
    return known


def _grey(
    source: GreyImages,
    shape: tuple[int, ...],
    classes: tuple[str, ...],
    there: Mapping[str, int],
    labels_of_train: Callable[[], Sequence[int]],
) -> DataFacts:
    """The facts of a source with so many examples `there`, some classes of which may be asked for.

    The training examples of all others go into the test, where the source has none of its own.
    """
    holdout = Holdout.of(source)
    if source.include_classes is None:
        sizes = split_counts(there, holdout)
        return DataFacts("image", "classify", shape, classes, *sizes)
    included = tuple(dict.fromkeys(map(str, source.include_classes)))
    if unknown := set(included) - set(classes):
        raise UserError(
            f"data.include_classes: {source.name} has no class {', '.join(sorted(unknown))}",
            hint=f"It has: {', '.join(classes)}.",
        )
    chosen = {classes.index(name) for name in included}
    kept = sum(label in chosen for label in labels_of_train())
    train, validation, tested = split_counts({**there, "train": kept}, holdout)
    if "test" not in there:
        tested += there["train"] - kept
    sizes = (train, validation, tested)
    return DataFacts("image", "classify", shape, classes, *sizes, include_classes=included)


def _ask(source: Data, data_root: Path, code: Path) -> DataFacts:
    """Have a source describe itself, whose facts only its examples tell."""
    try:
        asked = subprocess.run(
            [*PYTHON, "-m", "hpc_dl.data.describe", str(code), str(data_root)],
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
