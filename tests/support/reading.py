"""Sources read for tests: what `hpcdl submit` and the ranks of a run do with the options of one."""

import json
from pathlib import Path
from typing import Any

from hpc_dl.data import fingerprint, sources
from hpc_dl.data.fingerprint import Fingerprint
from hpc_dl.jobspec.data import Data
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.model import Model


def describe(options: Data, data_root: Path, code: Path = Path()) -> DataFacts:
    """The facts of a source, as the login node asks for them."""
    return sources.build(options, data_root, code).describe()


def describe_here(source: Any) -> DataFacts:
    """The facts that another process would tell, which takes seconds to start."""
    from hpc_dl.data import describe

    return describe.read_answer(json.loads(json.dumps(describe.answer(source))))


def given(options: Data, data_root: Path, code: Path = Path()) -> Any:
    """The facts of a source and the splits that it has."""
    return sources.build(options, data_root, code).load()


def load(options: Data, data_root: Path, code: Path = Path(), workers: int | None = None) -> Any:
    """The splits of a source, divided."""
    from hpc_dl.data import loading  # torch, for those who read examples

    return loading.load(sources.build(options, data_root, code), workers)


def take_fingerprint(options: Data, model: Model, data_root: Path, facts: DataFacts) -> Fingerprint:
    """The fingerprint of a source and a model as they are now."""
    return fingerprint.take(sources.build(options, data_root), model, facts)
