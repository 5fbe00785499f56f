"""Who may read what a run writes, in its folder and in its MLflow store, whatever the umask is."""

import os
import stat
from pathlib import Path

import pytest

from hpc_dl import cli
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.tracking.sync import sync_run
from tests.support import empty_store, exports
from tests.support.running import new_run
from tests.support.typed import QUICK, hpcdl, use_settings

NET = """\
import torch

class Net(torch.nn.Sequential):
    def __init__(self, input_shape, outputs):
        super().__init__(torch.nn.Flatten(), torch.nn.Linear(64, outputs))
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A site that opens runs to a group, to a user whose files are private."""
    use_settings(monkeypatch, tmp_path)
    path = tmp_path / "site.yaml"
    path.write_text(f"name: open\nruns_readable_by: group\nrun_root: {tmp_path}/runs\n")
    monkeypatch.setenv("HPCDL_SITE", str(path))
    former = os.umask(0o077)
    yield path
    os.umask(former)


def closed(folder: Path) -> list[str]:
    """What a member of the group cannot read or enter, or others can."""
    found = [it for it in folder.rglob("*") if not it.is_symlink()]
    there = [it for it in found if ".code." not in str(it)]  # a copy of hpcdl, for jobs alone
    modes = {it: stat.S_IMODE(it.stat().st_mode) for it in there}
    wanted = {it: 0o050 if it.is_dir() else 0o040 for it in modes}
    return sorted(
        f"{it.relative_to(folder)} {mode:o}"
        for it, mode in modes.items()
        if mode & wanted[it] != wanted[it] or mode & 0o007
    )


def test_a_group_reads_what_was_prepared_and_what_mlflow_has_of_it(tmp_path, site, monkeypatch):
    (tmp_path / "job.yaml").write_text(QUICK)
    run = RunDir(tmp_path / "runs" / "quick-1")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert cli.main(["submit", str(tmp_path / "job.yaml"), "--prepare", str(run.path)]) == 0
    assert closed(run.path) == []
    empty_store.put(run.root)
    log = Journal(run.journal)
    log.append("state", state="completed")
    log.close()
    exports.export(run.export, *exports.PICTURES["ffnn"])
    for path in (run.journal, run.export, *run.export.iterdir()):
        path.chmod(0o750)  # as the worker's umask has it
    sync_run(run, 60)
    assert (run.root / "mlartifacts" / "models").is_dir()
    assert closed(run.root / "mlartifacts") == []
    assert closed(run.path) == []
    waiting = new_run(run.root, name="waiting")
    waiting.path.chmod(0o750)
    assert cli.main(["cancel", waiting.id]) == 0
    assert stat.S_IMODE(waiting.cancel.stat().st_mode) == 0o640


@pytest.mark.nightly
def test_a_group_reads_all_files_of_a_whole_run_and_of_its_store(tmp_path, site):
    (tmp_path / "net.py").write_text(NET)
    text = QUICK.replace("name: ffnn, hidden: [32]", "name: net.py:Net")
    (tmp_path / "job.yaml").write_text(text)
    done = hpcdl("submit", str(tmp_path / "job.yaml"), "--local")
    assert done.returncode == 0, done.stderr
    done = hpcdl("sync", "quick")  # what the job had no time for
    assert done.returncode == 0, done.stderr
    root = tmp_path / "runs"
    assert stat.S_IMODE((root / "mlflow.db").stat().st_mode) == 0o640
    assert (root / "quick-1" / "code" / "net.py").is_file()
    assert list((root / "mlartifacts").rglob("weights.safetensors"))
    assert closed(root) == []
