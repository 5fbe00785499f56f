"""Try a user's code at submission as a rank will: import it, load its data, build its networks.

What fails here does not wait in a queue to fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hpc_dl.data import sources
from hpc_dl.errors import UserError
from hpc_dl.jobspec import user_options
from hpc_dl.jobspec.data import Data, DataFacts
from hpc_dl.jobspec.model import Model, UserModel
from hpc_dl.jobspec.sources.user import UserData
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.user_code import load_object
from hpc_dl.zoo import build
from hpc_dl.zoo.contract import Architecture

_CERTAIN = (OSError, ImportError, NameError, AttributeError, KeyError)
"""Errors that have nothing to do with building on the meta device."""


@dataclass(frozen=True)
class Trial:
    """Result of a trial."""

    facts: DataFacts | None
    seconds: float
    """Time that the data took."""
    options: dict[str, Any]
    """Of the network, with defaults, if it declares any."""
    notes: list[str]


def attempt(
    model: Model,
    data: Data,
    facts: DataFacts | None,
    code: Path,
    data_root: Path,
    imported: Callable[[], None],
) -> Trial:
    """Try a model and a source; those of a user lie in `code`.

    `imported` is called after the imports. Without `facts`, the source is asked for them. Errors
    come through as they are; SpecConflict is raised for a name that is not there, and for options
    that the user's code does not take.
    """
    options, notes = {}, []
    if isinstance(model, UserModel):
        network = _load(model.name, code, "model.name", Architecture)
        options = _check_options(network, model)
        if model.options and not options:
            notes.append(f"the options of {model.name} are not checked: it has no class Options")
    if isinstance(data, UserData):
        function = _load(data.name, code, "data.name")
        if wrong := user_options.check_parameters(function, data):
            raise SpecConflict.of(wrong)
    imported()
    began = time.monotonic()
    if facts is None and isinstance(data, UserData):
        facts, _ = sources.build(data, data_root, code).load()
    seconds = time.monotonic() - began
    if isinstance(model, UserModel) and facts is not None:
        _build(model, facts, code)
    return Trial(facts, seconds, options, notes)


def _load(reference: str, code: Path, key: str, kind: type | None = None) -> Any:
    try:
        return load_object(reference, code, kind)
    except UserError as error:
        raise SpecConflict(key, error.message, error.hint) from None


def _check_options(network: type, model: UserModel) -> dict[str, Any]:
    """Return the options of a network that declares them, with its defaults."""
    try:
        options, wrong = user_options.check(network, model)
    except UserError as error:
        raise SpecConflict("model.name", error.message, error.hint) from None
    if wrong:
        raise SpecConflict.of(wrong)
    return options


def _build(model: UserModel, facts: DataFacts, code: Path) -> None:
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
