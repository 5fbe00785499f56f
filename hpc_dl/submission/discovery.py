"""Discovery of the files of a user's code: those it imports, may import, and reads."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpc_dl import installed, user_code

DATA_BYTES = 64 * 2**20
"""Most bytes of data that a snapshot takes unasked; `code` in the spec asks for more."""
CODE_BYTES = 1 * 2**30
"""Most bytes of a snapshot, which every run has a copy of."""
_SUFFIXES = {".py", ".so", ".pyd"}
_NO_CODE = {"__pycache__", "venv", "node_modules"}
"""Names of folders without code of the user's; those that begin with a dot have none either."""
_CACHES = (
    "HF_HOME",
    "MPLCONFIGDIR",
    "NUMBA_CACHE_DIR",
    "TORCH_HOME",
    "TORCHINDUCTOR_CACHE_DIR",
    "TRITON_CACHE_DIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
)
"""Variables that name the folder of a library's cache, which may lie beside the code."""


@dataclass
class Reads:
    """An audit hook that notes which files are read and written, and which folders listed."""

    opened: set[Path] = field(default_factory=set)
    written: set[Path] = field(default_factory=set)
    listed: set[Path] = field(default_factory=set)
    active: bool = True
    """A hook cannot be taken away."""

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.active and event in ("open", "ctypes.dlopen", "os.listdir", "os.scandir"):
            self._note(event, arguments)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        name = arguments[0]
        if not isinstance(name, str | bytes | os.PathLike):
            return
        path = installed.absolute(os.fsdecode(name))
        if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax"):
            self.written.add(path)
            return
        asking = sys._getframe(2).f_code.co_filename
        if event != "open" and asking.startswith("<frozen importlib"):
            return
        into = self.opened if event in ("open", "ctypes.dlopen") else self.listed
        into.add(path)


@dataclass(frozen=True)
class Found:
    """The files of a user's code."""

    files: set[Path]
    roots: list[Path]
    """Folders in which modules were found, in Python's order."""
    notes: list[str]


def collect(
    places: Iterable[user_code.Namespace], before: Container[str], reads: Reads, base: Path
) -> Found:
    """Collect the files of the modules that were imported in this process since `before`."""
    spaces = list(places)
    path = [Path(entry) for space in spaces for entry in space.path()]
    loaded = dict(loaded_modules(before))
    code = _with_lazy_imports(set(loaded), path)
    tops = {_root(file, name) for file, name in loaded.items()}
    used = [root for root in dict.fromkeys(path) if root in tops]
    used += sorted(tops - set(used))
    packages = {package for file in code if (package := _package(file))}
    for package in packages:
        code |= {it for it in walk(package) if it.suffix in _SUFFIXES}
    scopes = _scopes({file.parent for file in code} | {base, *used})
    wanted = {it for it in reads.opened if _is_below(it, scopes)}
    near = set(_named_in(code))
    for folder in reads.listed:
        if _is_below(folder / "its files", scopes):
            near |= {it for it in _files(folder) if it.suffix not in (".pyc",)}
    for package in packages:
        near |= set(walk(package))
    data, notes = _affordable(wanted - code, near - wanted - code - reads.written)
    return Found({it for it in code | data if it.is_file()}, used, notes)


def walk(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and those below it, without hidden folders, caches and virtual
    environments."""
    for here, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(it for it in folders if _may_hold_code(Path(here, it)))
        for name in sorted(names):
            path = Path(here, name)
            if path.is_file() and path.suffix != ".pyc":
                yield path


def _may_hold_code(folder: Path) -> bool:
    """Return whether a folder inside a project is no hidden one, cache or virtual environment."""
    return (
        not folder.name.startswith(".")
        and folder.name not in _NO_CODE
        and not (folder / "pyvenv.cfg").is_file()
        and str(folder) not in (os.environ.get(it) for it in _CACHES)
    )


def loaded_modules(before: Container[str]) -> Iterator[tuple[Path, str]]:
    """Yield the user's modules in this process that were not there `before`: files and names."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name in before or not isinstance(file, str):
            continue
        path = installed.absolute(file)
        if path.is_file() and installed.is_users(path):
            package, _, rest = name.partition(".")
            yield path, rest if package.startswith(user_code.PREFIX) else name


def _root(file: Path, name: str) -> Path:
    """Return the folder under which a module has its name."""
    folder = file.parent.parent if file.stem == "__init__" else file.parent
    for _ in range(name.count(".")):
        folder = folder.parent
    return folder


def _package(file: Path) -> Path | None:
    """Return the outermost package that a file belongs to."""
    root = user_code.package_root(file.parent)
    return root / file.relative_to(root).parts[0] if root != file.parent else None


def _with_lazy_imports(files: set[Path], path: list[Path]) -> set[Path]:
    """Return the files and, in turn, those that their import statements name."""
    found, waiting = set(files), list(files)
    while waiting:
        for parts, folders in _imported(waiting.pop(), path):
            fresh = _resolved(parts, folders) - found
            found |= fresh
            waiting += fresh
    return found


def _imported(file: Path, path: list[Path]) -> Iterator[tuple[list[str], list[Path]]]:
    """Yield the names that a file imports, each with the folders to search."""
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split("."), path
        elif isinstance(node, ast.ImportFrom):
            parts = node.module.split(".") if node.module else []
            folders = [_above(file.parent, node.level - 1)] if node.level else path
            for alias in node.names:
                yield [*parts, alias.name], folders
        elif isinstance(node, ast.Call) and node.args and _imports(node.func):
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                relative = name.value.startswith(".")
                yield name.value.strip(".").split("."), [file.parent] if relative else path


def _imports(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("import_module", "__import__")


def _above(folder: Path, levels: int) -> Path:
    for _ in range(levels):
        folder = folder.parent
    return folder


def _resolved(parts: list[str], folders: Iterable[Path]) -> set[Path]:
    """Return the files of a module and of the packages around it."""
    if parts[0] in installed.RESERVED and len(list(folders)) != 1:
        return set()
    for folder in folders:
        found, here = set(), folder
        for part in parts:
            module = here / f"{part}.py"
            if (here / part / "__init__.py").is_file():
                found.add(here / part / "__init__.py")
            elif module.is_file():
                found.add(module)
            found |= set(here.glob(f"{part}.*.so")) if part.isidentifier() else set()
            here = here / part
            if not here.is_dir():
                break
        if found:
            return {it for it in found if installed.is_users(it)}
    return set()


def _tree(file: Path) -> ast.AST:
    if file.suffix != ".py":
        return ast.Module([], [])
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):  # it may be meant for another Python
        return ast.Module([], [])


def _named_in(files: Iterable[Path]) -> Iterator[Path]:
    """Yield files beside the code that it names: they may be read later than in a trial."""
    for file in files:
        for node in ast.walk(_tree(file)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                name = node.value
                if 0 < len(name) < 200 and name.isprintable() and not name.startswith("/"):
                    path = Path(os.path.normpath(file.parent / name))
                    if path.is_relative_to(file.parent) and path.is_file():
                        yield path


def _scopes(folders: set[Path]) -> set[Path]:
    """Return the folders of the user's project, and their common one unless it holds more."""
    common = Path(os.path.commonpath(folders))
    return folders | ({common} if len(common.parts) > 2 and common != Path.home() else set())


def _is_below(path: Path, scopes: set[Path]) -> bool:
    """Return whether a path is the user's, and below one of the folders."""
    return (
        path.suffix != ".pyc"
        and any(_is_reached(path, scope) for scope in scopes)
        and installed.is_users(path)
    )


def _is_reached(path: Path, scope: Path) -> bool:
    """Return whether all folders between a path and one above it may hold code."""
    if not path.is_relative_to(scope):
        return False
    between = path.parents[: len(path.relative_to(scope).parts) - 1]
    return all(map(_may_hold_code, between))


def _files(folder: Path) -> list[Path]:
    return [it for it in folder.iterdir() if it.is_file()] if folder.is_dir() else []


def _affordable(wanted: set[Path], near: set[Path]) -> tuple[set[Path], list[str]]:
    """Return the data files to copy, those that were read first, and notes on those left out."""
    taken, left, room = set(), set(), DATA_BYTES
    for paths in (wanted, near):
        for path in sorted(filter(Path.is_file, paths), key=lambda it: (it.stat().st_size, it)):
            size = path.stat().st_size
            if size <= room:
                taken.add(path)
                room -= size
            else:
                left.add(path)
    if not left:
        return taken, []
    size = sum(path.stat().st_size for path in left)
    example = max(left, key=lambda it: it.stat().st_size)
    return taken, [
        f"{len(left)} data files ({size / 2**20:,.0f} MiB) beside the code are not copied, like "
        f"{example}: more than {DATA_BYTES // 2**20} MiB are read where they lie, by a path that "
        "begins with /, or are named in `code:`"
    ]
