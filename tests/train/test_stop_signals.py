"""Signals that stop a job, which come before the training has handlers for them."""

import subprocess
import sys

import pytest

from hpc_dl.train.control import TERMINATE, TIME_LIMIT

BEFORE = """
import os, signal, subprocess, sys
from hpc_dl.run import stop_signals
stop_signals.hold()
"""
IMPORTING = """
os.kill(os.getpid(), signal.{number})
from hpc_dl.train.control import Signals
signals = Signals()
signals.install()
print(signals.received)
"""
STARTING = """
program = "import os, signal; os.kill(os.getpid(), signal.SIGTERM); print('alive')"
subprocess.run([sys.executable, "-c", program])
"""


def output(program: str) -> str:
    return subprocess.check_output([sys.executable, "-c", BEFORE + program], text=True)


@pytest.mark.parametrize(
    "number, asked", [("SIGUSR2", TIME_LIMIT), ("SIGTERM", TERMINATE)], ids=["SIGUSR2", "SIGTERM"]
)
def test_one_that_comes_during_the_imports_is_acted_on(number: str, asked: int) -> None:
    assert output(IMPORTING.format(number=number)) == f"{asked}\n"


def test_a_process_that_was_started_meanwhile_outlives_them() -> None:
    assert output(STARTING) == "alive\n"
