"""Downloads: beside their place, checked, and only then moved there."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import shutil
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from http.client import HTTPException
from pathlib import Path
from threading import Thread
from typing import Any

from hpc_dl.data.sources import cifar, mnist
from hpc_dl.errors import UserError, first_few, reason

STALL_SECONDS = 20.0
"""Most seconds without progress. A firewall that swallows packets lets name servers,
addresses and mirrors time out one after the other, each for minutes."""
ARCHIVES = (".zip", ".tar.gz")
_FAILURES = (
    OSError,
    RuntimeError,
    HTTPException,
    ValueError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    tarfile.TarError,
)
"""Of a server, of what it sends, and of the disk."""


def download_mnist(name: str, root: Path) -> None:
    """Download the files of `mnist` or `fashion_mnist` into `root`, with progress on stderr.

    Files that lie there as .gz already are unpacked instead. Raises UserError where the servers do
    not answer, saying which files to put where by hand.
    """
    kind: Any = mnist.torchvision_class(name)
    target = mnist.raw_folder(name, root)

    def download(fresh: Path) -> None:
        for file, checksum in kind.resources:
            _take_packed(target / file, checksum, fresh)
        kind(fresh.parent.parent, download=True)

    urls = [f"{kind.mirrors[0]}{file}" for file, _ in kind.resources]
    stage(name, target, root, mnist.FILES, download, by_hand(urls, target, ", which unpacks them"))


def download_cifar(name: str, root: Path) -> None:
    """Download the files of `cifar10` or `cifar100` into `root`, with progress on stderr.

    Their archive is unpacked if it lies there already. Raises UserError as `download_mnist` does.
    """
    from hpc_dl.torchvision_compat import torchvision

    kind: Any = cifar.torchvision_class(name)
    files, unpack = cifar.SETS[name], torchvision("datasets.utils").download_and_extract_archive

    def download(fresh: Path) -> None:
        _take_packed(root / files.archive, kind.tgz_md5, fresh.parent)
        unpack(kind.url, fresh.parent, filename=files.archive, md5=kind.tgz_md5)

    hint = by_hand([kind.url], root, ", which unpacks it")
    stage(name, root / files.folder, root, files.sizes, download, hint)


def _take_packed(file: Path, checksum: str, fresh: Path) -> None:
    """Copy a file that was put there by hand, if it is the right one."""
    if not file.is_file():
        return
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "md5").hexdigest()
    if found == checksum:
        shutil.copy(file, fresh)
    else:
        sys.stderr.write(f"warning: {file} is damaged or another: its checksum is {found}\n")


def stage(
    name: str,
    target: Path,
    root: Path,
    files: Iterable[str],
    download: Callable[[Path], object],
    hint: str,
) -> None:
    """Download files into a folder below `root`, or none of them.

    `download` writes them into a folder of the same place below a scratch folder, and checks them.
    Raises UserError where it fails, or nothing comes.
    """
    temporary = _make_folders(name, target, root)
    try:
        with temporary as scratch:
            fresh = Path(scratch) / target.relative_to(root)
            fresh.mkdir(parents=True, exist_ok=True)
            _run_while_growing(Path(scratch), lambda: download(fresh))
            for file in files:
                (fresh / file).replace(target / file)
    except UserError as error:
        raise UserError(f"{name} could not be fetched: {error.message}", hint=hint) from error
    except _FAILURES as error:
        raise UserError(f"{name} could not be fetched: {error}", hint=hint) from None


def fetch(
    name: str, target: Path, root: Path, urls: Mapping[str, str], check: Callable[[Path], object]
) -> None:
    """Download files, by their names, into a folder below `root`; several may be of one archive.

    `check` is called with the folder that they are in at first. Raises UserError as `stage` does.
    """

    def download(fresh: Path) -> None:
        for url in dict.fromkeys(urls.values()):
            _take(url, fresh, [file for file, its in urls.items() if its == url])
        check(fresh)

    hint = by_hand(_places(urls), target)
    stage(name, target, root, urls, download, hint)


def _take(url: str, folder: Path, files: list[str]) -> None:
    """Download one or several files, which may be compressed, or in an archive."""
    came = folder / url.rpartition("/")[2]
    get(url, came)
    if url.endswith(ARCHIVES):
        if url.endswith(".zip"):
            shutil.unpack_archive(came, folder)
        else:
            shutil.unpack_archive(came, folder, filter="data")
        there = {path.name: path for path in folder.rglob("*")}
        if absent := [file for file in files if file not in there]:
            raise UserError(f"{url} has no {first_few(absent, 3)}")
        for file in files:
            there[file].replace(folder / file)
    elif url.endswith(".gz"):
        (folder / files[0]).write_bytes(gzip.decompress(came.read_bytes()))
    else:
        came.replace(folder / files[0])


def _places(urls: Mapping[str, str]) -> Iterator[str]:
    """Yield each URL once, with what is to be made of what comes from there by hand."""
    for url in dict.fromkeys(urls.values()):
        file = next(file for file, its in urls.items() if its == url)
        if url.endswith(ARCHIVES):
            yield f"{url}, unpacked"
        elif url.endswith(".gz"):
            yield f"{url}, unpacked by gunzip"
        else:
            yield url if url.endswith(f"/{file}") else f"{url} as {file}"


def _make_folders(name: str, target: Path, root: Path) -> tempfile.TemporaryDirectory[str]:
    """Make the folder of a data set, and return one beside it for the time of the download.

    Raises UserError where that cannot be written.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(
            prefix=".fetching-", dir=root, ignore_cleanup_errors=True
        )
    except OSError as error:
        raise UserError(
            f"{name} cannot be put into {root}: {reason(error)}",
            hint="Name a folder that you can write to: --root FOLDER, and data.root: FOLDER.",
        ) from None


def get(url: str, file: Path) -> None:
    """Download one file, with progress on stderr where that is a terminal."""
    from torch.hub import download_url_to_file

    sys.stderr.write(f"{url}\n")
    download_url_to_file(url, str(file), progress=sys.stderr.isatty())


def by_hand(urls: Iterable[str], target: Path, more: str = "") -> str:
    """Return how to stage files without internet."""
    files = "\n".join(f"  {url}" for url in urls)
    return (
        f"Without internet, get these files elsewhere:\n{files}\n"
        f"put them into {target}\nand give the same command again{more}."
    )


def _run_while_growing(folder: Path, work: Callable[[], object]) -> None:
    """Do the work, for as long as the files in `folder` become more; or raise TimeoutError."""
    outcome: Future[object] = Future()

    def do() -> None:
        try:
            outcome.set_result(work())
        except Exception as error:
            outcome.set_exception(error)

    thread = Thread(target=do, daemon=True)
    thread.start()
    size = _size(folder)
    thread.join(STALL_SECONDS)
    while thread.is_alive():
        before, size = size, _size(folder)
        if size == before:
            raise TimeoutError(f"no answer within {STALL_SECONDS:g} s")
        thread.join(STALL_SECONDS)
    outcome.result()


def _size(folder: Path) -> int:
    """Return the bytes of all files in a folder, which may be gone again meanwhile."""
    with contextlib.suppress(OSError):
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return -1
