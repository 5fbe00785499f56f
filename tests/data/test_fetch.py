"""`hpcdl data`: what is listed, and staging from a server that works, fails, or keeps silent."""

import gzip
import hashlib
import json
import socket
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hpc_dl.cli import main
from hpc_dl.data import download
from hpc_dl.data.sources.mnist import FILES, MNISTSource, raw_folder
from hpc_dl.jobspec.sources.mnist import MNIST
from hpc_dl.torchvision_compat import torchvision

MAGIC = {"images-idx3": bytes([0, 0, 8, 3]), "labels-idx1": bytes([0, 0, 8, 1])}
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing about it."""

    def log_message(self, *_):
        pass


@pytest.fixture
def packed(tmp_path):
    """The four files as .gz, with zeros for pixels and labels: right in layout and in size."""
    folder = tmp_path / "packed"
    folder.mkdir()
    for name, size in FILES.items():
        axes = [10_000 if name.startswith("t10k") else 60_000]
        axes += [28, 28] if "images" in name else []
        magic = next(magic for kind, magic in MAGIC.items() if kind in name)
        raw = magic + b"".join(axis.to_bytes(4, "big") for axis in axes)
        with gzip.open(folder / f"{name}.gz", "wb", compresslevel=1) as file:
            file.write(raw.ljust(size, b"\0"))
    return folder


@pytest.fixture
def point_at(monkeypatch):
    """Have torchvision look for MNIST at a port of this machine."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    kind = torchvision("datasets").MNIST

    def point(port, packed=None):
        monkeypatch.setattr(kind, "mirrors", [f"http://127.0.0.1:{port}/"])
        if packed:
            sums = [hashlib.md5((packed / file).read_bytes()).hexdigest() for file in files(kind)]
            monkeypatch.setattr(kind, "resources", list(zip(files(kind), sums, strict=True)))

    return point


def files(kind):
    return [file for file, _ in kind.resources]


@pytest.fixture
def server(packed, point_at):
    """A server with the files of `packed`, to which torchvision goes."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=packed)) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        point_at(serving.server_port, packed)
        yield serving
        serving.shutdown()


@pytest.fixture
def silent_port():
    """A port at which nobody answers: bound, so that no one else takes it, and not listening."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def is_staged(root):
    return MNISTSource(MNIST(name="mnist", root=str(root)), root).staging().staged


def test_fetching_stages_whole_files_and_leaves_nothing_else(server, tmp_path, capsys):
    root = tmp_path / "data" / "mnist"
    assert main(["data", "fetch", "mnist", "--root", str(root)]) == 0
    assert "mnist is staged" in capsys.readouterr().out
    assert is_staged(root)
    assert sorted(path.name for path in root.rglob("*") if path.is_file()) == sorted(FILES)
    assert main(["data", "fetch", "mnist", "--root", str(root)]) == 0
    assert "staged already" in capsys.readouterr().out


def test_a_damaged_file_is_fetched_again(server, tmp_path):
    folder = raw_folder("mnist", tmp_path)
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_bytes(b"half")
    assert main(["data", "fetch", "mnist", "--root", str(tmp_path)]) == 0
    assert is_staged(tmp_path)


def test_a_download_that_breaks_off_stages_nothing(server, packed, tmp_path, capsys):
    broken = packed / "t10k-images-idx3-ubyte.gz"
    broken.write_bytes(broken.read_bytes()[:1000])
    assert main(["data", "fetch", "mnist", "--root", str(tmp_path / "root")]) == 2
    assert "mnist could not be fetched" in capsys.readouterr().err
    assert [path for path in (tmp_path / "root").rglob("*") if path.is_file()] == []


def test_without_internet_it_says_which_files_from_where_to_put_where(
    point_at, silent_port, tmp_path, capsys
):
    point_at(silent_port)
    assert main(["data", "fetch", "mnist", "--root", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "mnist could not be fetched" in said
    for name in FILES:
        assert f"http://127.0.0.1:{silent_port}/{name}.gz\n" in said
    assert f"put them into {tmp_path / 'MNIST' / 'raw'}\n" in said
    assert "Traceback" not in said


def test_files_put_there_by_hand_are_unpacked_without_internet(
    point_at, silent_port, packed, tmp_path
):
    point_at(silent_port, packed)
    folder = raw_folder("mnist", tmp_path / "root")
    folder.parent.mkdir(parents=True)
    packed.rename(folder)
    assert main(["data", "fetch", "mnist", "--root", str(tmp_path / "root")]) == 0
    assert is_staged(tmp_path / "root")


def test_what_was_put_there_by_hand_stays_when_fetching_fails(point_at, silent_port, tmp_path):
    folder = raw_folder("mnist", tmp_path)
    folder.mkdir(parents=True)
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(b"the first of four")
    point_at(silent_port)
    assert main(["data", "fetch", "mnist", "--root", str(tmp_path)]) == 2
    assert (folder / "train-labels-idx1-ubyte.gz").read_bytes() == b"the first of four"
    assert [path.name for path in tmp_path.iterdir()] == ["MNIST"]


def test_a_server_that_keeps_silent_is_given_up(point_at, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(download, "STALL_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listening:  # takes calls, and never answers
        point_at(listening.getsockname()[1])
        assert main(["data", "fetch", "mnist", "--root", str(tmp_path)]) == 2
    assert "no answer within 0.2 s" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["cifar", "image_folder"])
def test_what_cannot_be_fetched_is_said_with_what_can(name, capsys):
    assert main(["data", "fetch", name]) == 2
    said = capsys.readouterr().err
    assert f"'{name}' cannot be fetched" in said
    assert "citeseer, cora, fashion_mnist, mnist" in said


def test_a_misspelt_name_is_answered_with_one_that_can_be_fetched(capsys):
    assert main(["data", "fetch", "Fashion-MNIST"]) == 2
    assert "did you mean 'fashion_mnist'?" in capsys.readouterr().err


def test_digits_need_no_fetching(capsys):
    assert main(["data", "fetch", "digits"]) == 0
    assert "nothing to fetch" in capsys.readouterr().out


def test_the_list_for_programs_and_for_people(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HPCDL_DATA", str(tmp_path))
    assert main(["data", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["mnist"] == {
        "name": "mnist",
        "kind": "image",
        "task": "classify",
        "examples": 70_000,
        "staged": False,
        "where": str(tmp_path / "mnist"),
        "about": rows["mnist"]["about"],
    }
    assert main(["data", "list"]) == 0
    table = capsys.readouterr().out
    assert all(name in table for name in rows)
    assert str(tmp_path / "fashion_mnist") in table
