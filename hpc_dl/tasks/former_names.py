"""Former names that a user's code may still use: that of an old run folder has to resume."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, ClassVar

MODULES = {
    "hpc_dl.zoo.pictures": "hpc_dl.tasks.pictures",
    **{
        f"hpc_dl.zoo.{name}": f"hpc_dl.zoo.architectures.{name}"
        for name in (
            "autoencoder", "cnn", "diffusion", "ffnn", "gan", "gnn", "lstm", "resnet", "rnn",
            "torchvision", "transformer", "vae",
        )
    },
    **{f"hpc_dl.zoo.{name}": f"hpc_dl.zoo.layers.{name}" for name in ("coders", "recurrent")},
}  # fmt: skip
"""Former name → name. What lies below a package has moved with it."""


class FormerNames:
    """Mixin of classes whose attributes have been renamed: each is there under both names."""

    former_names: ClassVar[Mapping[str, str]] = {}
    """Former name → name."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Give what a class defines under one of two names the other one too."""
        super().__init_subclass__(**options)
        defined = dict(vars(cls))
        for former, name in cls.former_names.items():
            if name in defined:
                setattr(cls, former, defined[name])
            elif former in defined:
                setattr(cls, name, defined[former])


class _Finder:
    """Imports a module that has moved under its former name too."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        for former, new in MODULES.items():
            if name == former or name.startswith(f"{former}."):
                return ModuleSpec(name, _Alias(new + name.removeprefix(former)))
        return None


class _Alias(Loader):
    """Gives a module a second name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # which the import has replaced


sys.meta_path.insert(0, _Finder)  # before submodules are found by the path of their package
