"""What a run writes into the node's temporary folder is gone when it has ended."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hpc_dl.jobspec.load import load
from hpc_dl.run.layout import RunDir
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.run.temporary_folder import temporary_folder
from tests.support.running import prepared

ROOT = Path(__file__).parent.parent.parent


def rank_info(rank=0, attempt="7.1", size=2):
    return RankInfo(rank, size, rank, size, attempt, attempt.partition(".")[0], 0)


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return RunDir(tmp_path / "vae-1")


def write() -> Path:
    """A file that is meant to stay, as torch_geometric's are."""
    with tempfile.NamedTemporaryFile(delete=False) as file:
        return Path(file.name)


def names(run):
    found = (it.name.split("-", maxsplit=2)[2] for it in (run.root / "tmp").iterdir())
    return sorted(found)


def test_the_folder_of_a_rank_is_removed_and_those_of_others_stay(run):
    with temporary_folder(run, rank_info(0)):
        inner = write()
        above = tempfile.tempdir
        tempfile.tempdir = str(run.root / "tmp")  # as in a process of its own
        with temporary_folder(run, rank_info(1)):
            assert names(run) == ["7.1-0", "7.1-1"]
        tempfile.tempdir = above
        assert inner.exists()
    assert names(run) == []
    assert tempfile.gettempdir() == str(run.root / "tmp")


def test_the_next_attempt_removes_what_a_killed_one_left(run):
    tmp = run.root / "tmp"
    with temporary_folder(run, rank_info(0, "7.0")):
        (left,) = tmp.iterdir()
        killed = left.with_name(left.name.replace("7.0-0", "6.0-1"))
        killed.mkdir()
        other = left.with_name("hpcdl-0123456789ab-6.0-1")
        other.mkdir()
        write()
        tempfile.tempdir = str(tmp)
        with temporary_folder(run, rank_info(1, "7.1")):  # is not the one who looks after the node
            assert killed.exists()
        with temporary_folder(run, rank_info(0, "7.1")):
            assert not killed.exists()
            assert left.exists(), "its rank is alive: another job trains here"
    assert list(tmp.iterdir()) == [other]


def test_after_an_error_the_folders_of_all_ranks_are_removed(run):
    tmp = run.root / "tmp"
    with pytest.raises(SystemExit), temporary_folder(run, rank_info(0)):
        (mine,) = tmp.iterdir()
        mine.with_name(mine.name[:-1] + "1").mkdir()
        raise SystemExit(1)
    assert list(tmp.iterdir()) == []


def test_a_full_disk_does_not_stop_the_run(run, monkeypatch):
    def full(*_args, **_named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with temporary_folder(run, rank_info()):
        assert tempfile.gettempdir() == str(run.root / "tmp")


@pytest.mark.nightly
def test_a_graph_network_leaves_nothing(tmp_path):
    """Each of its layers is a module that torch_geometric generates."""
    tmp, file = tmp_path / "tmp", ROOT / "jobs" / "gnn.yaml"
    tmp.mkdir()
    spec = load(file, ["train.epochs=1", "resources.cpus_per_task=1"])
    run = prepared(tmp_path, spec, file.parent)
    done = subprocess.run(
        [sys.executable, "-m", "hpc_dl.worker", str(run.path)],
        env={**os.environ, "TMPDIR": str(tmp)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (run.export / "weights.safetensors").exists()
    assert list(tmp.iterdir()) == []
