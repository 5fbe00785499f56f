"""Schedulers of installed packages, of which one may be broken."""

import pytest

from hpc_dl.errors import UserError
from hpc_dl.run.layout import RunDir
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.base import Job


def test_a_scheduler_whose_package_is_broken_is_refused_and_its_jobs_are_unknown(
    tmp_path, monkeypatch
):
    about = tmp_path / "broken-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[hpc_dl.schedulers]\nbroken = broken_module:It\n")
    (tmp_path / "broken_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="'broken' cannot be imported: division by zero") as caught:
        registry.get("broken")
    assert "broken_module:It" in caught.value.hint
    job = Job(RunDir(tmp_path), Submission("broken", "7", "here", 0.0))
    (status,) = registry.query([job])
    assert status.phase == "unknown"
