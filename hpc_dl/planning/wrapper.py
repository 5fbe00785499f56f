"""Wrapper of a site: a command in front of the worker of each task, such as `apptainer exec`."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from hpc_dl.errors import UserError

_OPERATORS = set("();<>|&")


def _check(text: str) -> str:
    """Return the text if it is words of one simple command to the shell."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError as error:
        raise ValueError(f"is not readable by the shell: {str(error).lower()}") from None
    operators = any(word and _OPERATORS.issuperset(word) for word in words)
    if operators or re.search(r"\n|(^|\s)#", text):
        raise ValueError("is one command without ; | & < > #: write a script, and name it here")
    return text.strip()


Wrapper = Annotated[str, AfterValidator(_check)]
"""Words as in the job's script: quotes and $VARIABLES are the shell's."""


def check_is_there(wrapper: str, setup: list[str]) -> None:
    """Raise UserError where the wrapper's command is not on this machine.

    Not where its name comes from a variable, or the site's `setup` may bring it (`module load`).
    """
    name = next(iter(shlex.split(wrapper)), "")
    if not name or "$" in name or ("/" not in name and setup):
        return
    path = Path(name).expanduser()
    if "/" in name and not path.is_absolute():
        raise UserError(
            f"the site's wrapper {name} is a relative path",
            hint="Write the whole path: a job starts in the folder of its submission.",
        )
    if shutil.which(path if "/" in name else name) is None:
        what = "not there, or not executable" if "/" in name else "not on the PATH"
        raise UserError(
            f"the site's wrapper {name} is {what}",
            hint=f"Where only compute nodes have it: `wrapper: env {wrapper}`. Jobs of this "
            "machine (--local) have no wrapper.",
        )
