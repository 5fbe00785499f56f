"""Snapshots of a user's code, checked in forks: a new process would import torch each time."""

import importlib
import io
import sys
from pathlib import Path
from typing import Any

import pytest

from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.sources.user import UserData
from hpc_dl.submission import code_check, snapshot
from hpc_dl.submission.snapshot import Snapshot
from tests.support import reading


@pytest.fixture
def forked_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `python -m hpc_dl.submission.code_check` does, without its own start."""
    importlib.import_module("torch._dynamo")  # by torch.optim, else twice in each test
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def report(request: dict[str, Any], names: list[str]) -> dict[str, Any]:
        return code_check._report(request, str(elsewhere))

    monkeypatch.setattr(snapshot, "_check", report)
    monkeypatch.setattr("sys.stdin", io.StringIO())  # read to its end, as it is there
    monkeypatch.setattr("sys.path", [*sys.path])  # the code of a test may add to it


def taken(base: Path, **sections: Any) -> Snapshot:
    """Return the snapshot of a job's code."""
    sections = {"data": {"name": "digits"}, "model": {"name": "ffnn"}} | sections
    spec = JobSpec.model_validate({"name": "x", "train": {"steps": 1}, **sections})
    facts = None if isinstance(spec.data, UserData) else reading.describe(spec.data, base)
    return snapshot.take(spec, base, base, facts)


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write files, in which HERE stands for their folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("HERE", str(folder)))
    return folder
