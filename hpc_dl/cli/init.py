"""`hpcdl init`: a job spec or a site file to begin with, each option with its description."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hpc_dl.cli import models
from hpc_dl.errors import UserError

if TYPE_CHECKING:
    from hpc_dl.jobspec.base import Spec
    from hpc_dl.jobspec.job import JobSpec

HELP = "write a commented job spec of an architecture or of text, or a site file, to begin with"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="the architecture, of `hpcdl models`; or text"
    )
    parser.add_argument(
        "--site",
        action="store_true",
        help="a site file instead, with what Slurm offers; as `hpcdl doctor --write-site` does",
    )


def run(args: argparse.Namespace) -> int:
    """Print the spec, or the site file."""
    if args.site == bool(args.name):
        raise UserError(
            "either the name of an architecture, or --site",
            hint="`hpcdl init vae` prints a job spec, `hpcdl init --site` a site file.",
        )
    if args.site:
        from hpc_dl.doctor import site_file

        sys.stdout.write(site_file.text(None))
        return 0
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
    for section in ("model", "data", "train", "resources", "checkpoint", "tracking", "notify"):
        part = getattr(spec, section)
        yield f"{section}:" if part.model_fields_set else f"#{section}:"
        yield from _section(part)


def _section(part: Spec) -> Iterator[str]:
    from hpc_dl.jobspec.commented import option_lines
    from hpc_dl.jobspec.schema import options, to_yaml

    if name := getattr(part, "name", None):
        yield f"  name: {to_yaml(name)}"
    for it in options(type(part)):
        is_set = it.name in part.model_fields_set or it.required
        yield from option_lines(it, getattr(part, it.name), is_set=is_set, indent="  ")
