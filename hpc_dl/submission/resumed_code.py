"""Which hpcdl a run goes on with: the copy of its submission, unless the user asks for this one."""

from __future__ import annotations

import contextlib
import os
import sys

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.installed import PYTHON
from hpc_dl.run import versions
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import DamagedFile, RunDir
from hpc_dl.submission import hpcdl_code, provenance


def hand_over(run: RunDir, otherwise: str = "") -> None:
    """Have the copy of a run's submission continue the command line of this process, if it differs.

    Its own code then writes what its job will read; this process ends. Where there is no copy,
    raises UserError if the code differs, as far as that is known. `otherwise` says how this code is
    taken, for a folder that is no run's.
    """
    before = hpcdl_code.frozen(run) or provenance.code_of(run)
    if before is None:
        sys.stderr.write(f"warning: {run.id} does not say which hpcdl it was trained with\n")
    elif note := describe(run, otherwise):
        sys.stderr.write(f"{note}\n")
        sys.stderr.flush()
        environment = os.environ | hpcdl_code.python_path(run.hpcdl.resolve(), os.environ)
        os.execve(sys.executable, [*PYTHON, "-m", "hpc_dl", *sys.argv[1:]], environment)
    elif before.digest != hpcdl_code.current().digest:
        raise UserError(
            f"there is no copy of the hpcdl that {run.id} was trained with: this is "
            f"{provenance.difference(run, before)}",
            hint=otherwise or f"{_takes(run)} `hpcdl submit --new` starts another run.",
        )


def describe(run: RunDir, otherwise: str = "") -> str:
    """Say that a run goes on with the copy of its submission; empty where this is the same code."""
    kept = hpcdl_code.frozen(run)
    if kept is None or kept.digest == hpcdl_code.current().digest:
        return ""
    how = otherwise or _takes(run)
    return f"{run.id} goes on with the hpcdl of its submission, {kept}. {how}"


def _takes(run: RunDir) -> str:
    return f"`hpcdl resume {run.id} --code current` takes this one, {hpcdl_code.current()}."


def check(run: RunDir) -> None:
    """Raise UserError where a job imports another hpcdl than that which the run has trained with.

    That of the submission is meant, but what a site's wrapper runs may see another. Of a run that
    begins, this is journalled.
    """
    now, submitted = str(hpcdl_code.current()), provenance.code_of(run)
    if submitted is None or now == str(submitted):
        return
    before = versions.newest(run)
    message = f"this job imports hpcdl {now}, and {run.id} was submitted with {submitted}"
    if before is not None and before.get("hpcdl") != now:
        raise UserError(message, hint=_takes(run), exit_code=EXIT_FAILED)
    sys.stderr.write(f"warning: {message}\n")
    with contextlib.suppress(DamagedFile):
        log = Journal(run.journal)
        log.append("warning", message=message)
        log.close()
