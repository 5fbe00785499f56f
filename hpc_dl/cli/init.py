"""`hpcdl init`: a job spec to begin with, with every option and its description."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hpc_dl.cli import models
from hpc_dl.errors import UserError

if TYPE_CHECKING:
    from hpc_dl.jobspec.base import Spec
    from hpc_dl.jobspec.job import JobSpec

HELP = "write a commented job spec of an architecture, or of text, to begin with"
COLUMN, WIDTH = 34, 100
"""The column of comments, and the longest line; a longer comment stands above its option."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the architecture, of `hpcdl models`; or text")


def run(args: argparse.Namespace) -> int:
    """Print the spec."""
    from hpc_dl.jobspec.load import load
    from hpc_dl.jobspec.sources import SOURCES
    from hpc_dl.verify import recipes

    there = recipes.path(args.name).is_file()
    of_data = there and args.name in SOURCES
    about = models.first_line(SOURCES[args.name] if of_data else models.find(args.name))
    if not there:
        raise UserError(
            f"'{args.name}' comes from a package, for which hpcdl has no job spec",
            hint=f"`hpcdl models {args.name}` shows its options.",
        )
    lines = _lines(load(recipes.path(args.name)), args.name, about)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _lines(spec: JobSpec, name: str, about: str) -> Iterator[str]:
    yield f"# {about}"
    yield "# Train it: hpcdl submit THIS_FILE    Look first: hpcdl submit THIS_FILE --dry-run=plan"
    yield "# A line with # and no space after it is an option with its default."
    yield f"name: {spec.name}"
    for section in ("model", "data", "train", "resources", "checkpoint", "tracking"):
        part = getattr(spec, section)
        yield f"{section}:" if part.model_fields_set else f"#{section}:"
        yield from _section(part)


def _section(part: Spec) -> Iterator[str]:
    from hpc_dl.jobspec.schema import options, to_yaml

    if name := getattr(part, "name", None):
        yield f"  name: {to_yaml(name)}"
    for it in options(type(part)):
        value = getattr(part, it.name)
        is_set = it.name in part.model_fields_set or it.required
        line = f"  {'' if is_set else '#'}{it.name}: {to_yaml(value)}"
        choices = it.takes if " | " in it.takes else ""
        about = "; ".join(filter(None, (it.about, choices)))
        yield from _with_comment(line, about)


def _with_comment(line: str, about: str) -> Iterator[str]:
    """Yield a line with its comment, which stands above it where it is long."""
    beside = f"{line:{COLUMN}} # {about}"
    if not about:
        yield line
    elif len(beside) <= WIDTH:
        yield beside
    else:
        yield from textwrap.wrap(about, WIDTH, initial_indent="  # ", subsequent_indent="  # ")
        yield line
