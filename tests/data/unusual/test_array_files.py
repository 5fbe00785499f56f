"""Files of arrays as users have them."""

import io
import os
import pickle
import zipfile

import h5py
import numpy as np
import pytest

from tests.support.array_files import LABELS, RNG, TABLE, WORDS, hdf5, named, npz
from tests.support.unusual_data import Case, check

SUBMISSION, NODE, TRAINS = "submission", "node", "trains"


def raw(content, name="npz"):
    def make(folder):
        (folder / "a.file").write_bytes(content)
        return named(folder, name, "a.file")

    return make


def zipped(**members):
    def make(folder):
        with zipfile.ZipFile(folder / "a.npz", "w") as opened:
            for name, content in members.items():
                opened.writestr(name, content)
        return named(folder, "npz", "a.npz")

    return make


def claiming(shape):
    """Return an array whose header says more than there is."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    return file.getvalue() + bytes(960)


def cut(make, name, size):
    def made(folder):
        options = make(folder)
        file = folder / name
        file.write_bytes(file.read_bytes()[:size])
        return options

    return made


def encrypted(folder):
    options = npz()(folder)
    content = bytearray((folder / "a.npz").read_bytes())
    for beginning, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(beginning)
        while at >= 0:
            content[at + flags] |= 1
            at = content.find(beginning, at + 1)
    (folder / "a.npz").write_bytes(content)
    return options


def spoilt(folder):
    options = npz()(folder)
    content = bytearray((folder / "a.npz").read_bytes())
    at = content.find(TABLE[20].tobytes())
    content[at] ^= 255
    (folder / "a.npz").write_bytes(content)
    return options


def pipe(folder):
    os.mkfifo(folder / "a.npz")
    return named(folder, "npz", "a.npz")


def folder_of_chunks(folder):
    (folder / "a.zarr").mkdir()
    return named(folder, "hdf5", "a.zarr")


def link(folder):
    (folder / "a.npz").symlink_to("gone.npz")
    return named(folder, "npz", "a.npz")


def replaced(make, name="x"):
    """Return what replaces an array of an open file."""

    def change(file):
        del file[name]
        make(file)

    return change


def linked(to):
    return replaced(lambda file: file.__setitem__("x", to))


def dataset(name="x", **what):
    return replaced(lambda file: file.create_dataset(name, **what), name)


def filtered(file):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((10, 3))
    plist.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, (1, 2))
    space = h5py.h5s.create_simple((40, 3))
    h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F64LE, space, plist)


def timed(file):
    h5py.h5d.create(file.id, b"x", h5py.h5t.UNIX_D32LE, h5py.h5s.create_simple((40, 3)))


def virtual(file):
    layout = h5py.VirtualLayout((40, 3), "f8")
    layout[:20] = h5py.VirtualSource("part1.h5", "x", (20, 3))
    file.create_virtual_dataset("x", layout)


def overwritten(folder):
    options = hdf5(dataset(data=RNG.random((40, 300)), chunks=(10, 300), compression="gzip"))(
        folder
    )
    file = folder / "a.h5"
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = b"\xff" * 2000
    file.write_bytes(content)
    return options


OBJECT = {"MATLAB_object_decode": 3}


def by_matlab(x, y, kind="double", **attributes):
    """Return what writes arrays as MATLAB does, with the axes reversed."""

    def change(file):
        for name in ("x", "y"):
            file[name].attrs["MATLAB_class"] = np.bytes_("double")
        file["y"].attrs.update({"MATLAB_class": np.bytes_(kind), **attributes})

    return hdf5(change, file="a.mat", x=x.T, y=y.T)


def half_written(file):
    file.create_dataset("half", (40,), "i8", chunks=(20,))[:20] = LABELS[:20]


def by_pandas(file):
    file.create_group("x").attrs["pandas_type"] = "frame"


NPZ = [
    Case("an npz that is cut off", cut(npz(), "a.npz", 900), SUBMISSION, "is no readable npz: "),
    Case("an empty file", raw(b""), SUBMISSION, "data.path: …a.file is empty"),
    Case("text", raw(b"1,2,3\n4,5,6\n"), SUBMISSION, "is no npz\n…text: data.name: csv"),
    Case(
        "a web page",
        raw(b"<!DOCTYPE html>"),
        SUBMISSION,
        "is no npz, but a web page\nThe download failed",
    ),
    Case(
        "a pointer of Git LFS",
        raw(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"),
        SUBMISSION,
        "is no npz, but a pointer of Git LFS, not the file itself\ngit lfs pull",
    ),
    Case("a pickle", raw(pickle.dumps([1])), SUBMISSION, "is no npz, but a pickle\nSave its arr"),
    Case("a single npy", raw(b"\x93NUMPY\x01\x00"), SUBMISSION, "but a single array\nSave its arr"),
    Case(
        "a file of MATLAB 5",
        raw(b"MATLAB 5.0 MAT-file, Platform: GLNXA64"),
        SUBMISSION,
        "but a file of MATLAB's before version 7.3\nRead it by scipy.io.loadmat. Save its arrays",
    ),
    Case("an npz, said to be hdf5", raw(b"PK\x03\x04", "hdf5"), SUBMISSION, "Give data.name: npz."),
    Case(
        "HDF5, said to be npz",
        raw(b"\x89HDF\r\n\x1a\n"),
        SUBMISSION,
        "is no npz, but an HDF5 file\nGive data.name: hdf5.",
    ),
    Case(
        "another zip, such as of Excel",
        zipped(**{"xl/workbook.xml": "<a/>"}),
        SUBMISSION,
        "is a zip file, but holds no array; it has only xl/workbook.xml",
    ),
    Case("an encrypted npz", encrypted, SUBMISSION, "'x.npy' is encrypted, password required"),
    Case(
        "an npz with changed bytes",
        spoilt,
        SUBMISSION,
        "no readable npz: Bad CRC-32 for file 'x.npy'",
    ),
    Case(
        "a header that claims more than there is",
        zipped(**{"x.npy": claiming((10**15,)), "y.npy": claiming((120,))}),
        SUBMISSION,
        "array 'x' in …a.npz is damaged: (1000000000000000,) float64, but of 960 bytes",
    ),
    Case("a named pipe", pipe, SUBMISSION, "is no regular file, but a pipe, socket or device"),
    Case("a folder", folder_of_chunks, SUBMISSION, "a.zarr is a folder, not a file"),
    Case("a broken link", link, SUBMISSION, "a.npz is a link to gone.npz, which is not there"),
    Case(
        "a sparse matrix of SciPy's",
        npz({"inputs": "matrix"}, **dict.fromkeys(["data", "indices", "indptr", "shape"], LABELS)),
        SUBMISSION,
        "data.inputs: …has no array 'matrix'…That is a sparse matrix: save x.toarray().",
    ),
]
HDF5 = [
    Case("text, said to be hdf5", raw(b"hello", "hdf5"), SUBMISSION, "is no readable hdf5: …sign"),
    Case("HDF5 that is cut off", cut(hdf5(), "a.h5", 999), SUBMISSION, "…truncated file: eof"),
    Case("a damaged chunk", overwritten, NODE, "a.h5 is no readable hdf5: …filter returned fail"),
    Case(
        "compression that is not installed",
        hdf5(replaced(filtered)),
        SUBMISSION,
        "(number 32001), which is not installed\npip install hdf5plugin, and export HDF5_PLUGIN_P",
    ),
    Case(
        "parts in files that are not there",
        hdf5(replaced(virtual)),
        SUBMISSION,
        "'x' in …a.h5 lies in other files, of which 1 of 1 are not there: part1.h5",
    ),
    Case(
        "values in a raw file",
        hdf5(dataset(shape=(40, 3), dtype="f8", external=[("raw.bin", 0, h5py.h5f.UNLIMITED)])),
        SUBMISSION,
        "has its values in raw files (raw.bin)\nCopy it into one file",
    ),
    Case(
        "a link to nothing",
        hdf5(linked(h5py.SoftLink("/gone"))),
        SUBMISSION,
        "'x' in …a.h5 is a link to '/gone', which is not there",
    ),
    Case(
        "a link to another file",
        hdf5(linked(h5py.ExternalLink("other.h5", "/x"))),
        SUBMISSION,
        "is a link to '/x' in other.h5, which is not there, or has no such array",
    ),
    Case("a link to itself", hdf5(linked(h5py.SoftLink("/x"))), SUBMISSION, "too many links"),
    Case(
        "an empty group", hdf5(replaced(lambda it: it.create_group("x"))), SUBMISSION, "It is emp"
    ),
    Case(
        "a frame of pandas'",
        hdf5(replaced(by_pandas)),
        SUBMISSION,
        "is a group, not an array\npandas wrote it: save it by frame.to_parquet",
    ),
    Case("a type", hdf5(linked(np.dtype("f8"))), SUBMISSION, "is a data type, not an array"),
    Case("times of HDF5's own", hdf5(replaced(timed)), SUBMISSION, "'x' in …is no readable hdf5: "),
    Case(
        "an array without a shape",
        hdf5(dataset(data=h5py.Empty("f4"))),
        SUBMISSION,
        "'x' in …a.h5 is empty: it has no shape",
    ),
    Case(
        "lists of several lengths",
        hdf5(dataset(shape=(40,), dtype=h5py.vlen_dtype("f4"))),
        SUBMISSION,
        "'x' holds lists of several lengths, not real numbers\nFill them up to one length; ",
    ),
    Case(
        "references, as of a cell array",
        hdf5(dataset(shape=(40, 3), dtype=h5py.ref_dtype)),
        SUBMISSION,
        "'x' holds references, not real numbers",
    ),
    Case(
        "text of any length",
        hdf5(dataset("y", data=WORDS[LABELS].astype(object), dtype=h5py.string_dtype())),
        TRAINS,
        "labels are words, and classes in alphabetical order",
    ),
    Case(
        "an enumeration",
        hdf5(dataset("y", data=LABELS % 2, dtype=h5py.enum_dtype({"dog": 0, "cat": 1}, "i1"))),
        TRAINS,
        "labels: 0 is 'dog', 1 is 'cat'",
    ),
    Case("truth values", hdf5(y=LABELS > 1), TRAINS, "labels are True and False, as 1 and 0"),
    Case(
        "MATLAB's images, (H, W, C, N) there",
        by_matlab(RNG.random((6, 8, 3, 40)), LABELS[:, None] + 1.0),
        TRAINS,
        "MATLAB or R wrote the file, whose axes are reversed here: 'x' is (40, 3, 8, 6), and "
        "(6, 8, 3, 40) there, 'y' is (1, 40), and (40, 1) there\nlabels are whole numbers as fl",
    ),
    Case(
        "netCDF, packed",
        hdf5(lambda it: it["x"].attrs.update({"scale_factor": 0.01, "_FillValue": -9999})),
        TRAINS,
        "'x' has scale_factor 0.01, which is not applied: values are read as they are\n'x' has _Fi",
    ),
    Case(
        "MATLAB's words",
        by_matlab(TABLE.T, np.array([3707764736, 2, 1, 1, 1, 2], "u4"), "string", **OBJECT),
        SUBMISSION,
        "'y' in …a.mat is of MATLAB's type string, which is not supported\nSave numbers ",
    ),
    Case(
        "MATLAB's letters",
        by_matlab(TABLE.T, LABELS.astype("u2") + 97, "char"),
        SUBMISSION,
        "'y' in …a.mat is of MATLAB's type char, which",
    ),
    Case(
        "an empty array of MATLAB's",
        by_matlab(TABLE.T, np.zeros(2, "u8"), "double", MATLAB_empty=1),
        SUBMISSION,
        "'y' in …a.mat is empty: in MATLAB it is (0, 0)",
    ),
    Case(
        "a sparse matrix of MATLAB's",
        hdf5(lambda it: it.create_group("s").attrs.update({"MATLAB_sparse": 9}), {"inputs": "s"}),
        SUBMISSION,
        "is a group, not an array\nIt is a sparse matrix of MATLAB's: save full(x).",
    ),
    Case(
        "arrays as elements, of which none was written",
        hdf5(lambda it: it.create_dataset("a", (40,), "(3,)f4"), {"inputs": "a"}),
        NODE,
        "every value is 0",
    ),
    Case(
        "labels of which some were never written",
        hdf5(half_written, {"labels": "half"}),
        TRAINS,
        "'half': 1 of 2 parts were never written, and are read as 0",
    ),
    Case(
        "MATLAB's table",
        by_matlab(TABLE, LABELS[:, None] + 1.0),
        SUBMISSION,
        "3 examples to train, and 40 labels\n…moveaxis(x, 1, 0). In MATLAB: permute(x, ndims(x):",
    ),
    Case(
        "arrays and targets of another machine",
        hdf5(None, {"task": "regress"}, x=TABLE.astype(">f4"), y=TABLE[:, 0].astype(">f8")),
        TRAINS,
    ),
    Case(
        "groups of another machine",
        hdf5(None, {"groups": "g"}, g=(np.arange(40) // 4).astype(">i4")),
        TRAINS,
    ),
]
CASES = [*NPZ, *HDF5]


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)


def test_a_file_that_another_process_writes_is_said_to_be_locked(tmp_path, monkeypatch):
    options = hdf5()(tmp_path)

    def refuse(*_, **__):
        raise BlockingIOError(11, "Unable to synchronously open file (unable to lock file)")

    monkeypatch.setattr(h5py, "File", refuse)
    locked = Case("a locked file", lambda _: options, SUBMISSION, "is locked\nAnother process wri")
    check(locked, tmp_path)
