"""Try a user's code at submission as a rank will: import it, load its data, build its networks.

What fails here does not wait in a queue to fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from hpc_dl.data import sources
from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import Data, DataFacts
from hpc_dl.jobspec.model import Model, OwnModel
from hpc_dl.jobspec.sources.user import OwnData
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.user_code import load_object
from hpc_dl.zoo import build
from hpc_dl.zoo.contract import Architecture

_CERTAIN = (OSError, ImportError, NameError, AttributeError, KeyError)
"""Errors that have nothing to do with building on the meta device."""


def attempt(
    model: Model,
    data: Data,
    facts: DataFacts | None,
    code: Path,
    data_root: Path,
    imported: Callable[[], None],
) -> tuple[DataFacts | None, float]:
    """Try a model and a source; a user's lie in `code`. Return the facts and the seconds they took.

    `imported` is called after the imports. Without `facts`, the source is asked for them. Errors
    come through as they are; SpecConflict is raised for a name that is not there.
    """
    if isinstance(model, OwnModel):
        _load(model.name, code, "model.name", Architecture)
    if isinstance(data, OwnData):
        _load(data.name, code, "data.name")
    imported()
    began = time.monotonic()
    if facts is None and isinstance(data, OwnData):
        facts, _ = sources.build(data, data_root, code).load()
    seconds = time.monotonic() - began
    if isinstance(model, OwnModel) and facts is not None:
        _build(model, facts, code)
    return facts, seconds


def _load(reference: str, code: Path, key: str, kind: type | None = None) -> None:
    try:
        load_object(reference, code, kind)
    except UserError as error:
        raise SpecConflict(key, error.message, error.hint) from None


def _build(model: OwnModel, facts: DataFacts, code: Path) -> None:
    """Build the networks on the meta device; other errors are left for the ranks to show."""
    architecture = build(model, facts, code)
    for method in ("networks", "loss", "measure"):
        if getattr(type(architecture), method) is getattr(Architecture, method):
            raise SpecConflict(
                "model.name",
                f"{model.name} has no method {method}",
                f"{Architecture.__module__} says what it is to do.",
            )
    try:
        with torch.device("meta"):
            architecture.networks()
    except _CERTAIN:
        raise
    except Exception:
        pass
