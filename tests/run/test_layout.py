"""Run folders: numbered, private, and written whole or not at all."""

import os
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from hpc_dl.planning.site import Site
from hpc_dl.run import layout


def test_runs_of_a_name_are_numbered_and_found_in_order(tmp_path):
    made = [layout.create(tmp_path, "vae") for _ in range(11)]
    assert [run.id for run in made] == [f"vae-{n}" for n in range(1, 12)]
    assert [run.id for run in layout.list_runs(tmp_path, "vae")] == [run.id for run in made]
    assert layout.next_id(tmp_path, "vae") == "vae-12"


def test_names_that_contain_another_name_are_not_mixed_up(tmp_path):
    layout.create(tmp_path, "vae-big")
    layout.create(tmp_path, "vae")
    assert [run.id for run in layout.list_runs(tmp_path, "vae")] == ["vae-1"]
    assert layout.list_runs(tmp_path, "vae")[0].name == "vae"


def test_simultaneous_submissions_get_different_folders(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: layout.create(tmp_path, "vae"), range(64)))
    assert len({run.path for run in made}) == 64


def test_a_run_folder_is_readable_by_its_owner_alone(tmp_path):
    run = layout.create(tmp_path, "vae")
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o700


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "plan.json"
    layout.write_atomic(path, "old")

    def full_disk(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        layout.write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


@contextmanager
def somebody_else(folder):
    """Make a folder that the process may not look into."""
    folder.chmod(0)
    root = os.geteuid() == 0  # whom no mode keeps out
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)


def test_private_runs_of_other_users_are_left_out():
    with tempfile.TemporaryDirectory(prefix="shared-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        runs = [layout.create(root, "vae", 0o755) for _ in range(2)]
        for run in runs:
            run.spec.write_text("name: vae")
        with somebody_else(runs[0].path):
            assert layout.list_runs(root) == runs[1:]
            assert runs[0] not in layout.own_runs(runs)
            assert layout.next_id(root, "vae") == "vae-3"


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_site_may_open_run_folders_to_others_whatever_the_umask(tmp_path, umask):
    former = os.umask(umask)
    try:
        for who, mode in (("owner", 0o700), ("group", 0o750), ("everyone", 0o755)):
            run = layout.create(tmp_path, who, Site(name="x", runs_readable_by=who).run_folder_mode)
            assert stat.S_IMODE(run.path.stat().st_mode) == layout.mode_of(run) == mode
    finally:
        os.umask(former)


def test_a_file_with_a_secret_is_never_readable_by_others(tmp_path):
    layout.write_atomic(tmp_path / "secret", "x", mode=0o600)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
