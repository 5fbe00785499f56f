"""A user's files that are called like modules of Python or of libraries."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hpc_dl.cli import main
from hpc_dl.user_code import load_object
from tests.support import empty_store
from tests.support.snapshots import write
from tests.support.typed import use_settings

NET = """
import json, logging, numpy, random, torch
from hpc_dl.zoo.architectures.ffnn import FeedForward

class Net(FeedForward):
    def networks(self):
        assert random.random() >= 0
        return {"model": torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))}
"""
JOB = """
name: quick
model: {name: net.py:Net}
data: {name: digits}
train: {steps: 1}
resources: {cpus_per_task: 1}
"""
NAMES = ("json", "logging", "numpy", "random", "torch", "types", "yaml")
HIDING = {f"{name}.py": "raise RuntimeError('a file of the user')" for name in NAMES}


@pytest.mark.nightly
def test_a_job_beside_files_called_like_modules_of_python_and_of_libraries_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_settings(monkeypatch, tmp_path)
    base = write(tmp_path / "base", {**HIDING, "net.py": NET, "job.yaml": JOB})
    empty_store.put(tmp_path / "runs")
    monkeypatch.chdir(base)
    assert main(["submit", "job.yaml", "--local"]) == 0


def test_a_command_by_python_m_does_not_import_files_of_the_working_folder(tmp_path: Path) -> None:
    write(tmp_path, {name: text for name, text in HIDING.items() if name != "types.py"})
    words = [sys.executable, "-m", "hpc_dl", "models", "vae"]
    subprocess.run(words, cwd=tmp_path, env=os.environ, check=True, capture_output=True)


def test_a_module_called_like_one_of_python_is_imported_by_a_relative_import(
    tmp_path: Path,
) -> None:
    text = "import random\nfrom . import random as users\nnames = random.__name__, users.NAME"
    write(tmp_path, {"net.py": text, "random.py": "NAME = 'the user\\'s'"})
    assert load_object("net.py:names", tmp_path) == ("random", "the user's")
