"""An option with its comment, as the files have it that a user begins with."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from hpc_dl.jobspec.schema import Option, to_yaml

COLUMN, WIDTH = 34, 100
"""The column of comments, and the longest line; a longer comment stands above its option."""


def option_lines(option: Option, value: Any, *, is_set: bool, indent: str = "") -> Iterator[str]:
    """Yield the lines of an option; one that is not set is a comment with its default."""
    line = f"{indent}{'' if is_set else '#'}{option.name}: {to_yaml(value)}"
    choices = option.takes if " | " in option.takes else ""
    about = "; ".join(filter(None, (option.about, choices)))
    beside = f"{line:{COLUMN}} # {about}"
    if not about:
        yield line
    elif len(beside) <= WIDTH:
        yield beside
    else:
        margin = f"{indent}# "
        yield from textwrap.wrap(about, WIDTH, initial_indent=margin, subsequent_indent=margin)
        yield line
