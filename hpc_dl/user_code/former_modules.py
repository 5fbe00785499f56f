"""Modules of hpcdl that have moved, under their former names: for a user's code alone.

The snapshot of an old run folder still resumes; new code gets a note of the new names.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Iterator

MODULES = {
    "hpc_dl.spec": "hpc_dl.jobspec",
    "hpc_dl.spec.models": "hpc_dl.jobspec.architectures",
    "hpc_dl.vision": "hpc_dl.torchvision_compat",
    "hpc_dl.zoo.objectives": "hpc_dl.tasks",
    "hpc_dl.zoo.pictures": "hpc_dl.tasks.pictures",
    "hpc_dl.zoo.metrics": "hpc_dl.tasks.metrics",
    "hpc_dl.zoo.judge": "hpc_dl.zoo.evaluation_classifier",
    "hpc_dl.zoo.units": "hpc_dl.zoo.layers.standardise",
    **{
        f"hpc_dl.zoo.{name}": f"hpc_dl.zoo.architectures.{name}"
        for name in (
            "autoencoder", "cnn", "diffusion", "ffnn", "gan", "gnn", "lstm", "resnet", "rnn",
            "torchvision", "transformer", "vae",
        )
    },
    "hpc_dl.zoo.coders": "hpc_dl.zoo.layers.coders",
    "hpc_dl.zoo.noise": "hpc_dl.zoo.layers.noise",
    "hpc_dl.zoo.recurrent": "hpc_dl.zoo.layers.recurrent",
}  # fmt: skip
"""Former name → name. What lies below a package has moved with it."""
NAMES = {
    "hpc_dl.zoo.layers": ({"GROUPS", "dense", "norm"}, "hpc_dl.zoo.layers.dense"),
    "hpc_dl.zoo.units": ({"ROUNDING", "deviation", "mean"}, "hpc_dl.tasks.statistics"),
}
"""Module → names that it had, and the module that has them."""


def module_of(module: str, names: Collection[str]) -> str:
    """Return the module from which `from module import names` is to import."""
    had, now = NAMES.get(module, (set(), module))
    return now if names and had.issuperset(names) else module


def provide(module: str, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Make a module, or those of its `names` that are modules, importable under former names.

    Yields each former name with the name of today.
    """
    below = [f"{module}.{name}" for name in names]
    for former in [module, *(name for name in below if name in MODULES)]:
        now = current_name(former)
        if now != former:
            _alias(former, now)
            yield former, now


def current_name(module: str) -> str:
    """Return the name of today of a module; as it is if it has not moved."""
    package = module
    while package not in MODULES and "." in package:
        package = package.rpartition(".")[0]
    return MODULES.get(package, package) + module.removeprefix(package)


def _alias(former: str, now: str) -> None:
    """Give a module its former name too, and so the packages around it."""
    if former in sys.modules:
        return
    package, _, name = former.rpartition(".")
    _alias(package, current_name(package))
    module = importlib.import_module(now)
    if now != former:
        sys.modules[former] = module
        setattr(sys.modules[package], name, module)
