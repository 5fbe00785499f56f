"""A submission whose record is damaged is recovered from the files of its job."""

from pathlib import Path

import pytest

from hpc_dl.run.layout import RunDir, write_json
from hpc_dl.scheduler import recovery


@pytest.mark.parametrize(
    ("backend", "files", "job_id"),
    [
        ("slurm", ["logs/7-batch.log", "logs/7-0.log"], "7"),
        ("slurm", ["logs/7_3-batch.log"], "7_3"),
        ("slurm", ["job.sh"], ""),  # known by its script
        ("local", ["submitit/17_submitted.pkl", "logs/17-0.log"], "17"),
    ],
)
def test_the_newest_job_is_the_runs(
    tmp_path: Path, backend: str, files: list[str], job_id: str
) -> None:
    run = RunDir(tmp_path)
    write_json(run.plan, {"backend": backend})
    run.submission.write_text("{")
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = recovery.find(run)
    assert found.submission is not None
    assert (found.submission.backend, found.submission.job_id) == (backend, job_id)
    assert "is damaged" in found.fault


def test_without_a_trace_of_a_job_none_is_recovered(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    write_json(run.plan, {"backend": "local"})
    assert recovery.recover(run) is None


def test_without_a_plan_the_files_tell_the_schedulers_apart(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.logs.mkdir()
    (run.logs / "7-0.log").touch()
    run.script.touch()
    found = recovery.recover(run)
    assert found is not None
    assert (found.backend, found.job_id) == ("slurm", "7")
