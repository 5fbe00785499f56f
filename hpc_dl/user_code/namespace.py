"""Namespaces: the modules of a user's code, in a package of their own.

The modules of a folder live in a package of their own, so that two exports may both have a
`layers.py`, and a user's `utils.py` is nobody else's. An absolute `import layers` in one of them
means the `layers` of its own folder, where there is one; torch.package imports in the same way.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import itertools
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

from hpc_dl import installed
from hpc_dl.user_code import former_modules

PREFIX = "hpcdl_code_"

_numbers = itertools.count(1)
_namespaces: dict[str, Namespace] = {}


def known() -> list[Namespace]:
    """Return the namespaces of this process."""
    return list(_namespaces.values())


def package_root(folder: Path) -> Path:
    """Return the folder of the outermost package around `folder`; itself if it is no package."""
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        folder = folder.parent
    return folder


class Namespace:
    """The modules of a user's code, below a package `name`."""

    def __init__(self, roots: Sequence[Path], *, everywhere: bool) -> None:
        """Search for modules in `roots`, or `everywhere` in folders that are the user's."""
        self.name = f"{PREFIX}{next(_numbers)}"
        self.roots = list(roots)
        self._loaded: dict[str, tuple[int, int]] = {}
        self._owned: dict[str, bool] = {}
        self._namesakes: dict[str, Path | None] = {}
        self._builtins = {**vars(builtins), "__import__": self._import}
        self.notes: list[str] = []
        """What the user should know of the imports, once as code is submitted."""
        self._before = list(sys.path) if everywhere else None
        if everywhere:
            sys.path += map(str, roots)
        package = ModuleType(self.name)
        package.__path__ = [str(root) for root in roots]
        sys.modules[self.name] = package
        _namespaces[self.name] = self
        importlib.invalidate_caches()
        if _Finder not in sys.meta_path:
            sys.meta_path.insert(0, _Finder)
            sys.meta_path.append(_Fallback)

    @property
    def is_apart(self) -> bool:
        """True if only its own folders are searched, which are not in sys.path."""
        return self._before is None

    def path(self) -> list[str]:
        """Return the user's folders in which modules are searched for."""
        if self._before is None:
            return [str(root) for root in self.roots]
        roots = set(map(str, self.roots))
        added = [entry for entry in sys.path if entry not in self._before or entry in roots]
        users = map(os.path.abspath, [*added, *self._before])
        return [entry for entry in dict.fromkeys(users) if installed.is_users(Path(entry))]

    def is_fresh(self) -> bool:
        """Return whether the files of its modules are unchanged since their import."""
        return all(_stamp(path) == stamp for path, stamp in self._loaded.items())

    def owns(self, top: str) -> bool:
        """Return whether `import TOP` means a module of the user's."""
        if top in installed.RESERVED:
            return False
        if self._before is not None:  # the user's code may add folders
            return self._locate(top) is not None
        if top not in self._owned:
            self._owned[top] = self._locate(top) is not None
        return self._owned[top]

    def spec(self, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
        """Return the spec of a module by its full name, `path` being its package's."""
        rest = name.removeprefix(f"{self.name}.")
        if "." not in rest:
            found = self._locate(rest)
            if found is None:
                return None
            path = [str(root_of(found))]
        spec = PathFinder.find_spec(name, path)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = Source(self, name, spec.loader.path)
        return spec

    def prepare(self, module: ModuleType, path: str) -> None:
        """Route a module's imports through this namespace."""
        module.__dict__["__builtins__"] = self._builtins
        self._loaded[path] = _stamp(path)

    def import_module(self, name: str, package: str | None = None) -> ModuleType:
        """Import a module as `importlib.import_module` does, for the user's code."""
        if name.startswith(".") or not self.owns(name.partition(".")[0]):
            self._provide(name)
            return importlib.import_module(name, package)
        return importlib.import_module(f"{self.name}.{name}")

    def _locate(self, top: str) -> ModuleSpec | None:
        """Find a module of the user's; a mere folder is none if there is such a library."""
        spec = PathFinder.find_spec(top, self.path())
        if (spec is None or spec.origin is None) and self._before is not None:
            spec = _found_by_anybody(top) or spec
        if spec is None or not (spec.origin or spec.submodule_search_locations):
            return None
        if spec.origin is None and (other := PathFinder.find_spec(top)) and other.origin:
            return None
        return spec if installed.is_users(root_of(spec)) or self._before is None else None

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Execute an import statement of the user's code."""
        top = name.partition(".")[0]
        try:
            if level or not self.owns(top):
                name = name if level else self._provide(name, fromlist or ())
                module = builtins.__import__(name, globals, locals, fromlist or (), level)
                return self._importlib(module) if module is importlib else module
            whole = f"{self.name}.{name}"
            leaf = builtins.__import__(whole, globals, locals, fromlist or ("__name__",), 0)
        except ImportError as error:
            error.msg = error.msg.replace(f"{self.name}.", "")
            raise
        return leaf if fromlist else sys.modules[f"{self.name}.{top}"]

    def _provide(self, name: str, fromlist: Sequence[str] = ()) -> str:
        """Have an import of what is not the user's find it; return the name to import."""
        frame = sys._getframe(2)
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}: "
        place = place if str(frame.f_globals.get("__name__")).startswith(PREFIX) else ""
        for former, now in former_modules.provide(name, fromlist):
            self._note(f"{place}{former} is called {now} now")
        top = name.partition(".")[0]
        if hidden := self._hidden(top):
            self._note(
                f"{place}`import {top}` means the installed module, not {hidden}; "
                f"`from . import {top}` means that"
            )
        return former_modules.module_of(name, fromlist)

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _hidden(self, top: str) -> Path | None:
        """Return the user's file that is called like an installed module, if there is one."""
        if top not in self._namesakes:
            spec = PathFinder.find_spec(top, self.path()) if top in installed.RESERVED else None
            found = Path(spec.origin) if spec and spec.has_location and spec.origin else None
            self._namesakes[top] = found if found and installed.is_users(found) else None
        return self._namesakes[top]

    def _importlib(self, module: ModuleType) -> ModuleType:
        """Return importlib for the user's code, whose modules it imports."""
        users = ModuleType(module.__name__)
        vars(users).update(vars(module), import_module=self.import_module)
        return users


class Source(SourceFileLoader):
    """Loader that writes no bytecode, which would be one more file of the snapshot."""

    def __init__(self, space: Namespace, name: str, path: str) -> None:
        super().__init__(name, path)
        self._space = space

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code

    def exec_module(self, module: ModuleType) -> None:
        self._space.prepare(module, self.path)
        super().exec_module(module)


class _Finder:
    """Finder of the modules of namespaces by their full names."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        space = _namespaces.get(name.partition(".")[0])
        return space.spec(name, path) if space and name != space.name else None


class _Fallback:
    """Finder of a user's module by the name in its source, for a library that is called by the
    user's code: `importlib.resources.files("my_package")`."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            space = _namespaces.get(str(frame.f_globals.get("__name__")).partition(".")[0])
            if space is not None and space.is_apart:
                owns = space.owns(name.partition(".")[0])
                return ModuleSpec(name, _Alias(f"{space.name}.{name}")) if owns else None
            frame = frame.f_back
        return None


class _Alias(Loader):
    """Loader that gives a module a second name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


def root_of(spec: ModuleSpec) -> Path:
    """Return the folder in which a module without a package was found."""
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).parent
    assert spec.origin is not None
    return Path(spec.origin).parent


def _found_by_anybody(top: str) -> ModuleSpec | None:
    """Ask all finders, like that of an editable install, for a module."""
    try:
        return importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None


def _stamp(path: str) -> tuple[int, int]:
    try:
        found = Path(path).stat()
    except OSError:
        return (0, 0)
    return found.st_mtime_ns, found.st_size
