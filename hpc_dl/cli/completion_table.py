"""Table of what can be completed: the commands' options, and the keys of a job spec."""

from __future__ import annotations

import argparse
import importlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from hpc_dl.cli import COMMANDS, resume
from hpc_dl.errors import UserError
from hpc_dl.jobspec.schema import schema
from hpc_dl.planning import site as sites
from hpc_dl.planning.site import Site
from hpc_dl.verify import recipes


def build() -> dict[str, Any]:
    """Return the table, as JSON has it.

    `commands`: by name, `options` with what they take, `positionals`, and `actions`; `keys`: by
    dotted key, the values that it may have; `run_root`: the folder of the site's runs.
    """
    whole = schema()
    keys: dict[str, list[str]] = {}
    site = _site()
    for key, values in _keys(whole, whole["$defs"]):
        keys[key] = [*dict.fromkeys([*keys.get(key, ()), *values])]
    if site:
        keys["resources.partition"] = [*site.partitions]
    names = {
        "models": keys["model.name"],
        "data": keys["data.name"],
        "init": sorted(path.stem for path in recipes.FOLDER.glob("*.yaml")),
        "verify": sorted(path.stem for path in recipes.FOLDER.glob("*.yaml")),
    }
    commands = {}
    for name in COMMANDS:
        parser = argparse.ArgumentParser()
        importlib.import_module(f"hpc_dl.cli.{name}").configure(parser)
        commands[name] = _command(parser, names.get(name, []), _sections(name, keys))
    return {"commands": commands, "keys": keys, "run_root": _run_root(site)}


def _sections(command: str, keys: Mapping[str, Any]) -> list[str]:
    """Return the sections of a spec whose keys a command takes."""
    if command == "resume":
        return [*resume.CHANGEABLE]
    if command == "evaluate":
        return ["data", "resources"]
    every = dict.fromkeys(key.partition(".")[0] for key in keys)
    if command == "doctor":
        return ["resources"]
    return [] if command == "generate" else [*every]


def _command(
    parser: argparse.ArgumentParser, names: list[str], sections: list[str]
) -> dict[str, Any]:
    options: dict[str, Any] = {}
    positionals: list[dict[str, Any]] = []
    actions: dict[str, Any] = {}
    for action in parser._actions:
        if action.help == argparse.SUPPRESS:
            continue
        if isinstance(action, argparse._SubParsersAction):
            actions = {name: _command(it, names, sections) for name, it in action.choices.items()}
        elif action.option_strings:
            of_sites = sites.names() if "--site" in action.option_strings else []
            takes = None if action.nargs == 0 else of_sites or _takes(action, [])
            options |= dict.fromkeys(action.option_strings, takes)
        else:
            several = action.nargs in ("*", "+")
            positionals.append({"takes": _takes(action, names), "several": several})
    return {
        "options": options,
        "positionals": positionals,
        "actions": actions,
        "sections": sections,
    }


def _takes(action: argparse.Action, names: list[str]) -> list[str] | str:
    """Return the words that an argument takes, or their kind: RUN, key=value, or else a file."""
    if action.choices is not None:
        return [*map(str, action.choices)]
    kind = str(action.metavar).removeprefix("resources.")
    return names if names and kind.startswith("NAME") else kind


def _keys(
    part: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, list[str]]]:
    """Yield the keys below a part of the schema, and the values that are written in it."""
    for name, value in part.get("properties", {}).items():
        kinds = [*_kinds(value, definitions)]
        values = [str(it) for kind in kinds for it in _values(kind)]
        nested = [it for kind in kinds for it in _keys(kind, definitions, f"{prefix}{name}.")]
        if not nested or values:
            yield prefix + name, values
        yield from nested


def _kinds(value: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the schemas that a value may have, each by itself."""
    if "$ref" in value:
        yield from _kinds(definitions[value["$ref"].rpartition("/")[2]], definitions)
    elif either := value.get("anyOf") or value.get("oneOf"):
        for it in either:
            yield from _kinds(it, definitions)
    else:
        yield value


def _values(kind: Mapping[str, Any]) -> list[Any]:
    if kind.get("type") == "boolean" and "const" not in kind:
        return ["true", "false"]
    return [*kind.get("enum", [])] + ([kind["const"]] if "const" in kind else [])


def _site() -> Site | None:
    try:
        return sites.load(None, os.environ)
    except UserError:
        return None


def _run_root(site: Site | None) -> str:
    try:
        return str(sites.expand(site.run_root, os.environ)) if site else ""
    except UserError:
        return ""
