"""`hpcdl data show` on the command line."""

import pytest
from PIL import Image

from hpc_dl.cli import main
from tests.support import typed

KARATE = """\
name: friends
model: {name: gnn}
data: {name: karate}
train: {epochs: 1}
"""
OWN = """
import sys
import torch


def good(count: int = 12):
    print("reading")
    return {"train": {"table": torch.rand(count, 2), "label": torch.arange(count) % 2}}


def bad():
    return [][1]


def leaving():
    sys.exit("no data today")
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    typed.use_settings(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.yaml").write_text(KARATE)
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path


def show(*words: str) -> int:
    return main(["data", "show", "job.yaml", *words])


def test_the_picture_is_named_after_the_job_and_drawn_again(here, capsys):
    (here / "friends-data.png").write_bytes(b"\x89PNG, of yesterday")
    assert show() == 0
    assert Image.open(here / "friends-data.png").width == 1404
    out = capsys.readouterr().out
    assert "karate: " in out
    assert f"drawn: {here / 'friends-data.png'}" in out


def test_a_users_function_is_drawn_with_overrides(here, capsys):
    assert show("data={name: 'own.py:good', count: 20}", "-o", "own.png") == 0
    assert "16 training examples, 2 validation, 2 test; table 2" in capsys.readouterr().out
    assert (here / "own.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "picture.jpg"], "-o: picture.jpg is no name of a picture"),
        (["-o", "notes.png"], "-o: notes.png is there, and is no picture"),
        (["-o", "folder.png"], "-o: folder.png is there, and is no picture"),
        (["-o", "nowhere/a.png"], "/nowhere\n"),
        (["data={name: csv, path: gone.csv, target: y}"], "gone.csv"),
        (["data.name=kartae"], "kartae"),
        (
            ["data={name: 'own.py:bad'}"],
            "own.py:12: IndexError: list index out of range",
        ),
        (["data={name: 'own.py:leaving'}"], "no data today"),
        (["data={name: 'own.py:gone'}"], "gone"),
    ],
)
def test_what_cannot_be_drawn_is_an_error_of_the_user(here, capsys, words, said):
    (here / "notes.png").write_text("notes")
    (here / "folder.png").mkdir()
    assert show(*words) == 2
    assert said in capsys.readouterr().err
    assert (here / "notes.png").read_text() == "notes"
