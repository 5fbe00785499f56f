"""The `hpcdl` command itself: its table of commands, its errors and its exit codes."""

import argparse
import errno
import importlib
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hpc_dl import cli, errors
from hpc_dl.cli import COMMANDS, main
from hpc_dl.errors import EXIT_CLUSTER, UserError
from hpc_dl.run.layout import write_json

Capture = pytest.CaptureFixture[str]


def broken(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Have `hpcdl schema` raise an error."""

    def fail(args: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr(importlib.import_module("hpc_dl.cli.schema"), "run", fail)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help(name: str, capsys: Capture) -> None:
    assert main([name, "--help"]) == 0
    assert f"usage: hpcdl {name}" in capsys.readouterr().out
    assert importlib.import_module(f"hpc_dl.cli.{name}").HELP


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_help_names_the_commands_and_the_exit_codes(words: list[str], capsys: Capture) -> None:
    assert main(words) == 0
    said = capsys.readouterr().out
    assert all(line in said for line in COMMANDS.values())
    assert "2  the command line, the job spec or the data it names are at fault" in said


def test_an_unknown_command_is_guessed(capsys: Capture) -> None:
    assert main(["sumbit", "x.yaml"]) == 2
    said = capsys.readouterr().err
    assert "there is no command 'sumbit'" in said
    assert "Did you mean `hpcdl submit`?" in said


def test_an_unknown_option_is_refused(capsys: Capture) -> None:
    assert main(["status", "--jsno"]) == 2
    assert "--jsno" in capsys.readouterr().err


def test_a_user_error_is_a_message_with_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    broken(monkeypatch, UserError("it is away", hint="Try later.", exit_code=EXIT_CLUSTER))
    assert main(["schema"]) == 3
    assert capsys.readouterr().err == "error: it is away\nTry later.\n"


def test_a_bug_is_printed_in_one_line_with_its_traceback_in_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    broken(monkeypatch, ZeroDivisionError("by nought"))
    assert main(["schema"]) == cli.EXIT_BUG
    said = capsys.readouterr().err
    assert "this is a bug in hpcdl: ZeroDivisionError: by nought" in said
    assert "Traceback" not in said
    (report,) = tmp_path.iterdir()
    assert str(report) in said
    assert "ZeroDivisionError: by nought" in report.read_text()
    assert "Traceback" in report.read_text()


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_names_that_the_terminal_cannot_show_are_printed_as_escapes(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    shown = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", shown)
    name = os.fsdecode(b"caf\xe9")
    command = importlib.import_module("hpc_dl.cli.schema")
    monkeypatch.setattr(command, "run", lambda _: sys.stdout.write(name) * 0)
    assert main(["schema"]) == 0
    assert shown.buffer.getvalue() == b"caf\\udce9"  # type: ignore[attr-defined]


def test_a_bug_shows_its_traceback_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("HPCDL_DEBUG", "1")
    broken(monkeypatch, ZeroDivisionError("by nought"))
    assert main(["schema"]) == cli.EXIT_BUG
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "number",
    [errno.ENOSPC, errno.EISDIR, errno.EIO, errno.ELOOP, errno.EMFILE, errno.ESTALE, errno.ENOENT],
)
def test_an_error_of_the_file_system_is_no_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, number: int
) -> None:
    broken(monkeypatch, OSError(number, os.strerror(number), "/scratch/run"))
    assert main(["schema"]) == 2
    said = capsys.readouterr().err
    assert f"{os.strerror(number)}: /scratch/run" in said
    assert "bug" not in said


@pytest.mark.parametrize(
    "error, said",
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(28, "No space left on device", "/a", None, "/b"), "device: /a -> /b"),
        (OSError(28, None), "No space left on device"),
        (OSError(), "OSError"),
        (shutil.Error([("/a", "/b", "[Errno 28] No space left: '/b'")]), "No space left: '/b'"),
        (shutil.Error([("/a", "/b", "too much")]), "too much: /b"),
    ],
)
def test_an_error_without_a_file_name_is_printed_without_none(error: OSError, said: str) -> None:
    assert said in errors.reason(error)
    assert "None" not in errors.reason(error)


def test_an_error_while_writing_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError) as raised:
        write_json(tmp_path / "plan.json", {})
    assert errors.reason(raised.value) == f"No space left on device: {tmp_path}/plan.json"


def test_ctrl_c_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    broken(monkeypatch, KeyboardInterrupt())
    assert main(["schema"]) == 130
    assert capsys.readouterr().err == ""


def test_a_closed_pipe_is_no_error() -> None:
    command = subprocess.Popen(
        [sys.executable, "-m", "hpc_dl", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": ""},
    )
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.close()
    assert command.wait(60) == cli.EXIT_BROKEN_PIPE
    assert command.stderr.read() == b""
    command.stderr.close()
