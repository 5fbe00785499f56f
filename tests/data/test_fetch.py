"""`hpcdl data`: what is listed, and staging from a server that works, fails, or keeps silent."""

import contextlib
import errno
import gzip
import hashlib
import io
import json
import shutil
import socket
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hpc_dl.cli import main
from hpc_dl.data import sources
from hpc_dl.data.sources import cifar, rotten_tomatoes
from hpc_dl.data.sources.mnist import FILES, MNISTSource, raw_folder
from hpc_dl.data.staging import download
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources import SOURCES
from hpc_dl.jobspec.sources.cifar import CIFAR10
from hpc_dl.jobspec.sources.mnist import MNIST
from hpc_dl.torchvision_compat import torchvision
from tests.support import reading
from tests.support.cifar import pack

MAGIC = {"images-idx3": bytes([0, 0, 8, 3]), "labels-idx1": bytes([0, 0, 8, 1])}
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing about it."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def all_packed(tmp_path_factory):
    """The four files as .gz, with zeros for pixels and labels: right in layout and in size."""
    folder = tmp_path_factory.mktemp("packed")
    for name, size in FILES.items():
        axes = [10_000 if name.startswith("t10k") else 60_000]
        axes += [28, 28] if "images" in name else []
        magic = next(magic for kind, magic in MAGIC.items() if kind in name)
        raw = magic + b"".join(axis.to_bytes(4, "big") for axis in axes)
        with gzip.open(folder / f"{name}.gz", "wb", compresslevel=1) as file:
            file.write(raw.ljust(size, b"\0"))
    return folder


@pytest.fixture
def packed(all_packed, tmp_path):
    """Those files, to be damaged and moved."""
    return shutil.copytree(all_packed, tmp_path / "packed")


@pytest.fixture
def point_at(monkeypatch):
    """Have torchvision look for MNIST and Fashion-MNIST at a port of this machine."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)

    def point(port, packed=None):
        for kind in (torchvision("datasets").MNIST, torchvision("datasets").FashionMNIST):
            monkeypatch.setattr(kind, "mirrors", [f"http://127.0.0.1:{port}/"])
            if packed:
                sums = [md5(packed / file) for file in files(kind)]
                found = list(zip(files(kind), sums, strict=True))
                monkeypatch.setattr(kind, "resources", found)

    return point


def md5(file):
    return hashlib.md5(file.read_bytes()).hexdigest()


def files(kind):
    return [file for file, _ in kind.resources]


@contextlib.contextmanager
def serving(folder):
    """A server of the files in a folder; its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def server(packed, point_at):
    """A server with the files of `packed`, to which torchvision goes."""
    with serving(packed) as port:
        point_at(port, packed)
        yield port


@pytest.fixture
def silent_port():
    """A port at which nobody answers: bound, so that no one else takes it, and not listening."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def is_staged(root):
    return MNISTSource(MNIST(name="mnist", root=str(root)), root).staging().staged


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_fetching_stages_whole_files_and_leaves_nothing_else(server, tmp_path, capsys, name):
    root = tmp_path / "data" / name
    assert main(["data", "fetch", name, "--root", str(root)]) == 0
    assert f"{name} is staged" in capsys.readouterr().out
    assert sorted(path.name for path in root.rglob("*") if path.is_file()) == sorted(FILES)
    assert sorted(raw_folder(name, root).iterdir()) == sorted(root.rglob("*-ubyte"))
    assert main(["data", "fetch", name, "--root", str(root)]) == 0
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
    whole = broken.read_bytes()
    broken.write_bytes(whole[:1000])
    fetch = ["data", "fetch", "mnist", "--root", str(tmp_path / "root")]
    assert main(fetch) == 2
    assert "mnist could not be fetched" in capsys.readouterr().err
    assert [path for path in (tmp_path / "root").rglob("*") if path.is_file()] == []
    broken.write_bytes(whole)
    assert main(fetch) == 0


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


def test_what_was_put_there_by_hand_stays_when_fetching_fails(
    point_at, silent_port, tmp_path, capsys
):
    folder = raw_folder("mnist", tmp_path)
    folder.mkdir(parents=True)
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(b"the first of four")
    point_at(silent_port)
    assert main(["data", "fetch", "mnist", "--root", str(tmp_path)]) == 2
    assert (folder / "train-labels-idx1-ubyte.gz").read_bytes() == b"the first of four"
    warned = capsys.readouterr().err
    assert "train-labels-idx1-ubyte.gz is damaged or another: its checksum is " in warned
    assert [path.name for path in tmp_path.iterdir()] == ["MNIST"]


def test_a_server_that_keeps_silent_is_given_up(point_at, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(download, "STALL_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listening:  # takes calls, and never answers
        point_at(listening.getsockname()[1])
        assert main(["data", "fetch", "mnist", "--root", str(tmp_path)]) == 2
    assert "no answer within 0.2 s" in capsys.readouterr().err


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A small archive of CIFAR-10, which is the right one."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(cifar.EXAMPLES, "train", 50)
    monkeypatch.setitem(cifar.EXAMPLES, "test", 10)
    (tmp_path / "server").mkdir()
    packed = pack(tmp_path / "server")
    monkeypatch.setattr(torchvision("datasets").CIFAR10, "tgz_md5", md5(packed))
    return packed


def cifar_from(port, monkeypatch):
    kind = torchvision("datasets").CIFAR10
    monkeypatch.setattr(kind, "url", f"http://127.0.0.1:{port}/cifar-10-python.tar.gz")


def fetch_cifar(root):
    return main(["data", "fetch", "cifar10", "--root", str(root)])


def test_cifar_is_fetched_and_unpacked_without_its_archive(archive, tmp_path, monkeypatch, capsys):
    with serving(archive.parent) as port:
        cifar_from(port, monkeypatch)
        assert fetch_cifar(tmp_path / "root") == 0
    there = {path.name for path in (tmp_path / "root").rglob("*") if path.is_file()}
    assert there == set(cifar.SETS["cifar10"].sizes)
    facts = reading.describe(CIFAR10(name="cifar10", root=str(tmp_path / "root")), tmp_path)
    assert (facts.train, facts.test) == (45, 10)
    assert fetch_cifar(tmp_path / "root") == 0
    assert "nothing to fetch" in capsys.readouterr().out


def test_an_archive_put_there_by_hand_is_unpacked_without_internet(
    archive, silent_port, tmp_path, monkeypatch
):
    cifar_from(silent_port, monkeypatch)
    root = tmp_path / "root"
    root.mkdir()
    archive.rename(root / archive.name)
    assert fetch_cifar(root) == 0
    assert (root / archive.name).exists()


@pytest.mark.parametrize(
    "harm", [lambda it: it.write_bytes(b"<html>Log in</html>"), lambda it: it.unlink()]
)
def test_an_archive_that_is_another_or_not_there_stages_nothing(
    archive, tmp_path, monkeypatch, capsys, harm
):
    harm(archive)
    with serving(archive.parent) as port:
        cifar_from(port, monkeypatch)
        assert fetch_cifar(tmp_path / "root") == 2
    said = capsys.readouterr().err
    assert "cifar10 could not be fetched: " in said
    assert f"put them into {tmp_path / 'root'}\nand give the same command again" in said
    assert [path for path in (tmp_path / "root").rglob("*") if path.is_file()] == []


def test_a_full_disk_is_said_and_leaves_nothing(archive, tmp_path, monkeypatch, capsys):
    def fill(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torchvision("datasets.utils"), "_urlretrieve", fill)
    with serving(archive.parent) as port:
        cifar_from(port, monkeypatch)
        assert fetch_cifar(tmp_path / "root") == 2
    assert "No space left on device" in capsys.readouterr().err
    assert [path for path in (tmp_path / "root").rglob("*") if path.is_file()] == []


def zipped(file, names):
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(f"free-spoken-digit-dataset-master/recordings/{name}", b"sound")


def tarred(file, names):
    with tarfile.open(file, "w:gz") as archive:
        for name in names:
            lines = b"a sentence\n" * rotten_tomatoes.OF_EACH
            member = tarfile.TarInfo(f"rt-polaritydata/{name}")
            member.size = len(lines)
            archive.addfile(member, io.BytesIO(lines))


PACKINGS = {
    "fsdd": zipped,
    "rotten_tomatoes": tarred,
    "multi30k": lambda file, _: file.write_bytes(gzip.compress(b"a sentence")),
    "wnut17": lambda file, _: file.write_bytes(b"word O"),
}


@pytest.fixture(params=PACKINGS)
def fetched(request, tmp_path, monkeypatch):
    """A source, and the folder of a server that has its files as its origin has."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    kind = sources.class_for(SOURCES[request.param])
    urls = sources.build(SOURCES[request.param](name=request.param), tmp_path).urls
    (tmp_path / "server").mkdir()
    for url in set(urls.values()):
        names = [name for name, its in urls.items() if its == url]
        PACKINGS[request.param](tmp_path / "server" / url.rpartition("/")[2], names)
    with serving(tmp_path / "server") as port:
        here = {
            name: f"http://127.0.0.1:{port}/{url.rpartition('/')[2]}" for name, url in urls.items()
        }
        monkeypatch.setattr(kind, "urls", here)
        yield request.param, here, tmp_path / "server"


def test_what_is_compressed_renamed_or_in_an_archive_is_staged_under_its_names(
    fetched, tmp_path, capsys
):
    name, urls, _ = fetched
    root = tmp_path / "root"
    assert main(["data", "fetch", name, "--root", str(root)]) == 0
    assert {path.name for path in root.rglob("*") if path.is_file()} == set(urls)
    assert main(["data", "fetch", name, "--root", str(root)]) == 0
    assert "nothing to fetch" in capsys.readouterr().out


def test_what_is_damaged_on_its_way_stages_nothing(fetched, tmp_path, capsys):
    name, urls, server = fetched
    file = server / next(iter(urls.values())).rpartition("/")[2]
    if name == "wnut17":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert main(["data", "fetch", name, "--root", str(tmp_path / "root")]) == 2
    said = capsys.readouterr().err
    assert f"{name} could not be fetched: " in said
    assert next(iter(urls.values())) in said
    assert [path for path in (tmp_path / "root").rglob("*") if path.is_file()] == []


@pytest.fixture
def damaged_mnist(tmp_path):
    """Four files of the right sizes, of which the labels alone are right."""
    folder = raw_folder("mnist", tmp_path)
    folder.mkdir(parents=True)
    for name, size in FILES.items():
        with (folder / name).open("wb") as file:
            if "labels" in name:
                file.write(bytes(8) + bytes(number % 10 for number in range(size - 8)))
            file.truncate(size)
    return folder


def test_files_of_mnist_that_are_right_in_size_alone_are_refused(damaged_mnist, tmp_path):
    source = MNISTSource(MNIST(name="mnist", root=str(tmp_path)), tmp_path)
    source.describe()
    with pytest.raises(UserError, match=r"MNIST/raw is no readable copy of mnist: "):
        source.load()
    labels = damaged_mnist / "t10k-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1] + b"\xff")
    with pytest.raises(UserError, match=r"t10k-labels-idx1-ubyte has class 255, .* damaged"):
        source.describe()


def test_a_folder_that_cannot_be_made_is_said_to_be(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert fetch_cifar(tmp_path / "file" / "below") == 2
    said = capsys.readouterr().err
    assert f"cifar10 cannot be put into {tmp_path}/file/below: Not a directory" in said
    assert "Without internet" not in said


@pytest.mark.parametrize("words", [["fetch", "mnist", "--root"], ["list", "--site"]])
def test_a_home_folder_of_nobody_is_refused(words, capsys):
    assert main(["data", *words, "~nobody-here/x"]) == 2
    assert f"{words[-1]}: ~nobody-here/x is no readable path" in capsys.readouterr().err


def test_a_set_of_a_library_is_said_to_be_fetched_by_it(capsys):
    assert main(["data", "fetch", "torchvision:KMNIST"]) == 2
    assert "the plan of a job that names one says how" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["cifar", "image_folder"])
def test_what_cannot_be_fetched_is_said_with_what_can(name, capsys):
    assert main(["data", "fetch", name]) == 2
    said = capsys.readouterr().err
    assert f"'{name}' cannot be fetched" in said
    assert {"citeseer", "cora", "fashion_mnist", "mnist", "wnut17"} <= {
        *said.partition("Can be fetched: ")[2].strip(" .\n").split(", ")
    }


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
