"""The `hpcdl` command. Each command is a module, imported when it is typed.

Such a module has `HELP`, `configure(parser)` and `run(args) -> exit code`. The other modules here
serve several commands: from a job spec to a submission (`job_request`, `run_choice`, `start`) and
what is printed of it (`preview`, `watch`, `live`, `summary`). Nothing imports `cli`.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import errno
import importlib
import io
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
    "status": "list the runs: state, progress, newest metrics, reasons",
    "attach": "watch a run until it ends: state, progress, metrics",
    "logs": "print the log of a run",
    "compare": "compare runs: the options that differ, and the test metrics over seeds",
    "plot": "draw losses and the monitored metric of runs, with seeds as a band",
    "report": "report what a run asked for and used, with advice",
    "predict": "predict new examples by a trained network",
    "evaluate": "measure a trained network on other data",
    "generate": "generate pictures, text or music by a trained network",
    "export": "write a trained network as one file: torch.export, ONNX or safetensors",
    "register": "register a trained network in MLflow's model registry, under a name",
    "cancel": "stop a run",
    "resume": "continue a run that stopped",
    "sweep": "look at a sweep of many trials, go on with it, or stop it",
    "rm": "remove runs, with their MLflow runs and artifacts, shown first",
    "clean": "remove what nobody needs any more: failed runs, old checkpoints, orphans",
    "reconcile": "journal how killed jobs ended, as their scheduler knows it",
    "dashboard": "open the MLflow dashboard on the runs",
    "sync": "send to MLflow what runs have journalled and their jobs could not send",
    "models": "list the architectures, or show all options of one",
    "init": "write a commented job spec of an architecture, or a site file, to begin with",
    "doctor": "check what jobs need: Slurm, its nodes, file systems, the tracking store, torch",
    "verify": "train the shipped recipes on real data, and compare with what is expected",
    "data": "list the data sets, show the options of one, and stage them for compute nodes",
    "schema": "print the JSON Schema of job specs, for editors",
    "completion": "print the script by which bash, zsh or fish completes hpcdl",
}
"""By name, a line of help; the module is `hpc_dl.cli.NAME`."""

_EPILOG = """\
exit codes:
  0  done
  1  the run failed, or `hpcdl doctor` found a fault
  2  the command line, the job spec or the data it names are at fault
  3  the cluster cannot be reached
  (70: a bug in hpcdl; 130: interrupted by Ctrl-C)

`hpcdl COMMAND --help` explains a command. HPCDL_DEBUG=1 shows tracebacks.
"""

_ENVIRONMENT_ERRORS = frozenset(
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
"""Errors of the file system and of the machine's limits, which are no bugs of hpcdl."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` and return its exit code (see the epilog of `--help`)."""
    _print_any_name()
    try:
        return _dispatch(sys.argv[1:] if argv is None else list(argv))
    except SystemExit as ending:  # by argparse: --help, or a wrong command line
        return ending.code if isinstance(ending.code, int) else EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Nobody reads what is still buffered either; without this, Python prints an error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except UserError as error:
        _print_error(error.message, error.hint)
        return error.exit_code
    except Exception as error:
        return _report_bug(error)


def _print_any_name() -> None:
    """Have what the terminal's encoding lacks printed as escapes: a class of emoji in ASCII, the
    name of a folder that is not in UTF-8."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _dispatch(argv: list[str]) -> int:
    parser = _main_parser()
    typed = parser.parse_args(argv or ["--help"])
    if typed.command not in COMMANDS:
        near = difflib.get_close_matches(typed.command, COMMANDS, n=1, cutoff=0.5)
        guess = f"Did you mean `hpcdl {near[0]}`? " if near else ""
        raise UserError(
            f"there is no command '{typed.command}'",
            hint=f"{guess}There are: {', '.join(COMMANDS)}.",
        )
    module = importlib.import_module(f"hpc_dl.cli.{typed.command}")
    command_parser = argparse.ArgumentParser(
        prog=f"hpcdl {typed.command}", description=module.HELP, allow_abbrev=False
    )
    module.configure(command_parser)
    code: int = module.run(_parse(command_parser, typed.rest))
    sys.stdout.flush()
    return code


def _main_parser() -> argparse.ArgumentParser:
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


def _parse(parser: argparse.ArgumentParser, typed: list[str]) -> argparse.Namespace:
    """Parse options between positional arguments too, unless there are subcommands."""
    try:
        return parser.parse_intermixed_args(typed)
    except TypeError:
        return parser.parse_args(typed)


def _print_error(message: str, hint: str = "") -> None:
    """Print an error and its hint on standard error, in colour on a terminal."""
    from hpc_dl.jobspec.credentials import covered

    message, hint = covered(message), covered(hint)
    coloured = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    red, dim, plain = ("\033[1;31m", "\033[2m", "\033[0m") if coloured else ("", "", "")
    text = f"{red}error:{plain} {message}\n" + (f"{dim}{hint}{plain}\n" if hint else "")
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(text)


def _report_bug(error: Exception) -> int:
    """Print a bug in one line; its traceback goes to a file."""
    import tempfile
    import traceback

    from hpc_dl.jobspec.credentials import hidden

    if os.environ.get("HPCDL_DEBUG"):
        traceback.print_exception(error)
        return EXIT_BUG
    if isinstance(error, OSError) and error.errno in _ENVIRONMENT_ERRORS:
        _print_error(reason(error), "HPCDL_DEBUG=1 shows where it happened.")
        return EXIT_USAGE
    with tempfile.NamedTemporaryFile(
        "w", prefix="hpcdl-bug-", suffix=".txt", delete=False
    ) as report:
        text = "".join(traceback.format_exception(error))
        head = f"hpcdl {hpc_dl.__version__}, Python {sys.version}\n{sys.argv}\n"
        report.write(hidden(head + text))
    summary = " ".join(str(error).split())
    _print_error(
        f"this is a bug in hpcdl: {type(error).__name__}: {summary}",
        f"The traceback is in {report.name}; please report it.",
    )
    return EXIT_BUG
