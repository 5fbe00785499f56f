"""Try code that is not hpcdl's at submission as a rank will: import it, load its data, build its
networks, and take a step.

What fails here does not wait in a queue to fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from hpc_dl.data import sources
from hpc_dl.data.transforms import user_augment
from hpc_dl.errors import UserError
from hpc_dl.jobspec import user_options
from hpc_dl.jobspec.data import UserAugment
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.losses import TorchLoss, UserLoss
from hpc_dl.jobspec.model import UserModel
from hpc_dl.jobspec.optimizers import Muon, TorchOptimizer, UserOptimizer
from hpc_dl.jobspec.schedules import TorchSchedule, UserSchedule
from hpc_dl.jobspec.signatures import Called
from hpc_dl.jobspec.sources.user import UserData
from hpc_dl.planning import compatibility
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.tasks import criterion
from hpc_dl.train import optim, schedules, step_trial
from hpc_dl.user_code import load_object
from hpc_dl.zoo import build, load_class, modules
from hpc_dl.zoo.contract import Architecture

_CERTAIN = (OSError, ImportError, NameError, AttributeError, KeyError)
"""Errors that have nothing to do with building on the meta device."""
T = TypeVar("T")


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
    spec: JobSpec,
    facts: DataFacts | None,
    code: Path,
    data_root: Path,
    imported: Callable[[], None],
) -> Trial:
    """Try the parts of a spec that are not hpcdl's; those of a user lie in `code`.

    `imported` is called after the imports. Without `facts`, the source is asked for them. Errors
    come through as they are; SpecConflict is raised for a name that is not there, and for options
    that the code does not take.
    """
    model, data = spec.model, spec.data
    options: dict[str, Any] = {}
    notes: list[str] = []
    takes_a_step = False
    if isinstance(model, UserModel):
        network = _named("model", lambda: load_class(model.name, code))
        takes_a_step = issubclass(network, nn.Module)
        options = _check_options(network, model)
        if model.options and not options:
            notes.append(f"the options of {model.name} are not checked: it has no class Options")
    if isinstance(data, UserData):
        function = _named("data", lambda: load_object(data.name, code))
        if wrong := user_options.check_parameters(function, data):
            raise SpecConflict.of(wrong)
    for key, part in spec.foreign_parts().items():
        if key in ("model", "data"):
            continue
        takes_a_step = True
        if isinstance(part, Muon):
            continue
        called = _named(key, partial(_called, part, code))
        if wrong := called.check(key, part):
            raise SpecConflict.of(wrong)
    imported()
    began = time.monotonic()
    if facts is None and isinstance(data, UserData):
        facts, _ = sources.build(data, data_root, code).load()
    seconds = time.monotonic() - began
    if facts is not None and isinstance(model, UserModel):
        _build(model, facts, code)
    if facts is not None and takes_a_step:
        compatibility.check(spec, facts, None)
        notes += step_trial.run(spec, facts, code)
    return Trial(facts, seconds, options, notes)


def _called(part: Any, code: Path) -> Called:
    """Return what is called with the options of a part of a spec."""
    match part:
        case TorchLoss() | UserLoss():
            return criterion.called(part, code)
        case TorchOptimizer() | UserOptimizer():
            return optim.called(part, code)
        case TorchSchedule() | UserSchedule():
            return schedules.called(part, code)
        case _:
            assert isinstance(part, UserAugment)
            return user_augment.called(part, code)


def _named(key: str, load: Callable[[], T]) -> T:
    """Return what a part of a spec names. Raises SpecConflict, at the name, where it is not
    there."""
    try:
        return load()
    except UserError as error:
        raise SpecConflict(f"{key}.name", error.message, error.hint) from None


def _check_options(network: type[Any], model: UserModel) -> dict[str, Any]:
    """Return the options of a network that declares them, with its defaults."""
    if issubclass(network, nn.Module):
        called = modules.called(network)
        if wrong := called.check("model", model):
            raise SpecConflict.of(wrong)
        return called.defaults(model)
    try:
        options, wrong = user_options.check(network, model)
    except UserError as error:
        raise SpecConflict("model.name", error.message, error.hint) from None
    if wrong:
        raise SpecConflict.of(wrong)
    return options


def _build(model: UserModel, facts: DataFacts, code: Path) -> None:
    """Build the networks on the meta device; other errors are left for the ranks to show."""
    architecture = _named("model", lambda: build(model, facts, code))
    for method in ("networks", "loss", "measure"):
        if getattr(type(architecture), method) is getattr(Architecture, method):
            raise SpecConflict(
                "model.name",
                f"{model.name} has no method {method}",
                f"{Architecture.__module__} says what it is to do.",
            )
    try:
        with torch.device("meta"):
            _named("model", architecture.networks)
    except (*_CERTAIN, UserError):
        raise
    except Exception:
        pass
