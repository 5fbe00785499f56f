"""`hpcdl completion SHELL`: what a shell completes as `hpcdl` is typed.

The shell asks `hpcdl completion --of LINE` at each Tab. To answer at once, this imports no spec:
options and keys are a table in the user's cache folder, built again when something has changed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import platformdirs

import hpc_dl
from hpc_dl.errors import UserError

HELP = """Print the script by which a shell completes commands, options, runs, keys of a job spec
and their values."""
_BASH = """\
_hpcdl() {
  local line=${COMP_LINE:0:COMP_POINT} cut=
  local word=${line##*[[:space:]]}
  [[ $COMP_WORDBREAKS == *=* && $word == *=* ]] && cut=${word%"${word##*=}"}
  mapfile -t COMPREPLY < <(hpcdl completion --of "$line" 2>/dev/null)
  COMPREPLY=("${COMPREPLY[@]#"$cut"}")
  [[ ${COMPREPLY[0]-} == *[.=] ]] && compopt -o nospace
}
complete -o default -F _hpcdl hpcdl
"""
_ZSH = """\
_hpcdl() {
  local -a found
  found=(${(f)"$(hpcdl completion --of "${(j: :)words[1,CURRENT]}" 2>/dev/null)"})
  if (( ! $#found )); then
    _files
    return
  fi
  compadd -S '' -- ${(M)found:#*[.=]}
  compadd -- ${found:#*[.=]}
}
compdef _hpcdl hpcdl
"""
_FISH = """\
complete -c hpcdl -a '(hpcdl completion --of (commandline -cp | string collect) 2>/dev/null)'
"""
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
_HOW = {
    "bash": 'eval "$(hpcdl completion bash)"   # in ~/.bashrc',
    "zsh": 'eval "$(hpcdl completion zsh)"   # in ~/.zshrc, after compinit',
    "fish": "hpcdl completion fish | source   # in ~/.config/fish/config.fish",
}


def configure(parser: argparse.ArgumentParser) -> None:
    lines = "\n".join(f"  {line}" for line in _HOW.values())
    parser.epilog = f"to have it in every shell:\n{lines}"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("shell", metavar="SHELL", nargs="?", choices=_SCRIPTS, help=", ".join(_HOW))
    parser.add_argument("--of", metavar="LINE", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    if args.of is not None:
        found = candidates(args.of.split(" ")[1:])
        sys.stdout.write("".join(f"{it}\n" for it in found))
        return 0
    if args.shell is None:
        raise UserError("of which shell?", hint="\n".join(_HOW.values()))
    sys.stdout.write(_SCRIPTS[args.shell])
    return 0


def candidates(words: Sequence[str]) -> list[str]:
    """Return what the last word may become; none where the shell's own files are meant."""
    from hpc_dl.cli import COMMANDS

    *before, last = words or [""]
    before = [it for it in before if it]
    if not before:
        found: Sequence[str] = [*COMMANDS]
    elif before[0] not in COMMANDS:
        found = []
    else:
        table = _table()
        found = _of_command(table, table["commands"][before[0]], before[1:], last)
    return sorted({it for it in found if it.startswith(last)})


def _of_command(
    table: dict[str, Any], command: dict[str, Any], before: Sequence[str], last: str
) -> list[str]:
    count, takes = 0, None
    for word in before:
        if takes is not None:
            takes = None
        elif word.startswith("-"):
            takes = command["options"].get(word)
        elif word in command["actions"]:
            command, count = command["actions"][word], 0
        else:
            count += 1
    if takes is None:
        if last.startswith("-"):
            return [*command["options"]]
        if command["actions"]:
            return [*command["actions"]]
        places = command["positionals"]
        place = places[min(count, len(places) - 1)] if places else None
        takes = place["takes"] if place and (count < len(places) or place["several"]) else "FILE"
    if isinstance(takes, list):
        return takes
    if takes == "RUN":
        return ["latest", *_runs(table)]
    if takes == "key=value":
        sections = command["sections"]
        keys = {key: it for key, it in table["keys"].items() if key.split(".")[0] in sections}
        return [*_of_keys(keys, last)]
    return []


def _of_keys(keys: dict[str, list[str]], typed: str) -> Iterator[str]:
    """Yield the values of a key, or the keys up to their next dot."""
    key, equals, _ = typed.partition("=")
    if equals:
        yield from (f"{key}={value}" for value in keys.get(key, ()))
        return
    for key in keys:
        if key.startswith(typed):
            rest = key[len(typed) :]
            yield typed + (rest[: rest.index(".") + 1] if "." in rest else f"{rest}=")


def _runs(table: dict[str, Any]) -> list[str]:
    from hpc_dl.run import layout

    root = os.environ.get("HPCDL_RUN_ROOT") or table["run_root"]
    with contextlib.suppress(UserError, OSError):
        return [run.id for run in layout.list_runs(Path(root))] if root else []
    return []


def _table() -> dict[str, Any]:
    """Return the table of the cache, or build it, which takes a second."""
    key = _key()
    file = Path(platformdirs.user_cache_dir("hpcdl")) / "completion.json"
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        kept: dict[str, Any] = json.loads(file.read_text())
        if kept["key"] == key:
            return kept
    built: dict[str, Any] = importlib.import_module("hpc_dl.cli.completion_table").build()
    built["key"] = key
    with contextlib.suppress(OSError):  # then it is built at each Tab
        from hpc_dl.run.layout import write_atomic

        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, json.dumps(built))
    return built


def _key() -> str:
    """Return what the table depends on: hpcdl's files, the user's sites, and variables."""
    package = Path(__file__).parents[1]
    config = Path(platformdirs.user_config_dir("hpcdl"))
    folders = (package / "cli", package / "jobspec", package / "jobspec" / "sources", config)
    files = [it for folder in folders for it in folder.glob("*.[py]*")]
    site = Path(os.environ.get("HPCDL_SITE", "")).expanduser()
    files += [site] if site.is_file() else []
    newest = max((it.stat().st_mtime_ns for it in files), default=0)
    variables = [os.environ.get(it) for it in ("HPCDL_SITE", "SCRATCH", "HOME")]
    return repr((hpc_dl.__version__, str(package), newest, *variables))
