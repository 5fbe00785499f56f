"""The `hpcdl` command: a table of commands, each of which is imported when it is asked for.

A command is a module with `HELP`, `configure(parser)` and `run(args) -> exit code`.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import errno
import importlib
import os
import sys
from collections.abc import Sequence

import hpc_dl
from hpc_dl.errors import EXIT_USAGE, UserError, reason

EXIT_BUG = 70
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141

COMMANDS = {
    "submit": "train what a job spec describes, here or on a Slurm cluster",
    "status": "the runs: state, progress, newest metrics, reasons",
    "logs": "what a run printed",
    "cancel": "stop a run",
    "resume": "go on with a run that stopped",
    "reconcile": "journal how killed jobs ended, after their scheduler",
    "dashboard": "open the MLflow dashboard on the runs",
    "sync": "bring what the runs have journalled to the MLflow store",
    "models": "list the architectures, or show all options of one",
    "init": "write a commented job spec of an architecture, to begin with",
    "verify": "train the shipped recipes on real data, and compare with what is expected",
    "data": "list the data sets, and stage them for compute nodes",
    "schema": "print the JSON Schema of job specs, for editors",
}
"""Name → line of help; the module is `hpc_dl.cli.NAME`."""

_EPILOG = """\
exit codes:
  0  done
  1  the run failed
  2  the command line, the job spec or the data it names are at fault
  3  the cluster cannot be reached
  (70: a bug in hpcdl; 130: interrupted by Ctrl-C)

`hpcdl COMMAND --help` explains a command. HPCDL_DEBUG=1 shows tracebacks.
"""

_CIRCUMSTANCES = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EEXIST,
        errno.ENOTEMPTY,
        errno.ELOOP,
        errno.ESTALE,
        errno.EIO,
        errno.EBADMSG,
        errno.EUCLEAN,
        errno.EBUSY,
        errno.ETXTBSY,
        errno.ENXIO,
        errno.ENODEV,
        errno.ENOTCONN,
        errno.ESHUTDOWN,
        errno.EHOSTDOWN,
        errno.ETIMEDOUT,
        errno.EREMOTEIO,
        errno.ENOLCK,
        errno.EMFILE,
        errno.ENFILE,
        errno.EAGAIN,
        errno.ENOMEM,
    }
)
"""Errors of the file system and of the machine's limits: circumstances to mend, and no bug."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` and return its exit code (see the epilog of `--help`)."""
    try:
        return _dispatch(sys.argv[1:] if argv is None else list(argv))
    except SystemExit as ending:  # argparse, after --help or a wrong command line
        return ending.code if isinstance(ending.code, int) else EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # What is still buffered has no reader either; Python would complain of it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except UserError as error:
        _complain(error.message, error.hint)
        return error.exit_code
    except Exception as error:
        return _unexpected(error)


def _dispatch(argv: list[str]) -> int:
    parser = _front()
    words = parser.parse_args(argv or ["--help"])
    if words.command not in COMMANDS:
        near = difflib.get_close_matches(words.command, COMMANDS, n=1, cutoff=0.5)
        guess = f"Did you mean `hpcdl {near[0]}`? " if near else ""
        raise UserError(
            f"there is no command '{words.command}'",
            hint=f"{guess}There are: {', '.join(COMMANDS)}.",
        )
    module = importlib.import_module(f"hpc_dl.cli.{words.command}")
    own = argparse.ArgumentParser(
        prog=f"hpcdl {words.command}", description=module.HELP, allow_abbrev=False
    )
    module.configure(own)
    code: int = module.run(_parse(own, words.rest))
    sys.stdout.flush()
    return code


def _front() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    listing = "\n".join(f"  {name:{width}}  {line}" for name, line in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="hpcdl",
        usage="hpcdl COMMAND ...",
        description=f"{hpc_dl.__doc__}\n\ncommands:\n{listing}",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hpcdl {hpc_dl.__version__}")
    parser.add_argument("command", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _parse(parser: argparse.ArgumentParser, words: list[str]) -> argparse.Namespace:
    """Options may stand between the words, unless the command has commands of its own."""
    try:
        return parser.parse_intermixed_args(words)
    except TypeError:
        return parser.parse_args(words)


def _complain(message: str, hint: str = "") -> None:
    """Say on standard error what is wrong and what to do, in colour on a terminal."""
    from hpc_dl.jobspec.credentials import covered

    message, hint = covered(message), covered(hint)
    coloured = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    red, dim, plain = ("\033[1;31m", "\033[2m", "\033[0m") if coloured else ("", "", "")
    text = f"{red}error:{plain} {message}\n" + (f"{dim}{hint}{plain}\n" if hint else "")
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(text)


def _unexpected(error: Exception) -> int:
    """A short word for what no one has foreseen; the traceback goes to a file."""
    import tempfile
    import traceback

    from hpc_dl.jobspec.credentials import hidden

    if os.environ.get("HPCDL_DEBUG"):
        traceback.print_exception(error)
        return EXIT_BUG
    if isinstance(error, OSError) and error.errno in _CIRCUMSTANCES:
        _complain(reason(error), "HPCDL_DEBUG=1 shows where it happened.")
        return EXIT_USAGE
    with tempfile.NamedTemporaryFile(
        "w", prefix="hpcdl-bug-", suffix=".txt", delete=False
    ) as report:
        what = "".join(traceback.format_exception(error))
        head = f"hpcdl {hpc_dl.__version__}, Python {sys.version}\n{sys.argv}\n"
        report.write(hidden(head + what))
    summary = " ".join(str(error).split())
    _complain(
        f"this is a bug in hpcdl: {type(error).__name__}: {summary}",
        f"The traceback is in {report.name}; please report it.",
    )
    return EXIT_BUG
