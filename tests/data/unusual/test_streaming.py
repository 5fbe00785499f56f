"""HDF5 that is streamed, as users have it."""

import os

import h5py
import numpy as np
import pytest

from tests.support.array_files import IMAGES, LABELS, TABLE, hdf5
from tests.support.unusual_data import Case, check

SUBMISSION, NODE, TRAINING, TRAINS = "submission", "node", "training", "trains"
STREAMING = {"loading": "streaming"}
CHUNKED = {"chunks": (10, 3), "compression": "gzip"}


def streamed(change=None, options=None, **arrays):
    return hdf5(change, {**STREAMING, **(options or {})}, **arrays)


def with_value(*places, value=np.nan, array=TABLE):
    changed = np.array(array)
    for place in places:
        changed[place] = value
    return changed


def created(**options):
    """Return what replaces the examples by others, written with options of the library."""

    def change(opened):
        del opened["x"]
        opened.create_dataset("x", **options)

    return change


def damaged(array="x", chunk=1):
    """Return what writes chunks, and overwrites the middle of one."""

    def make(folder):
        options = streamed(created(data=TABLE, **CHUNKED))(folder)
        with h5py.File(folder / "a.h5") as opened:
            place = opened[array].id.get_chunk_info(chunk)
        content = bytearray((folder / "a.h5").read_bytes())
        middle = place.byte_offset + place.size // 2
        content[middle : middle + 16] = bytes(16)
        (folder / "a.h5").write_bytes(content)
        return options

    return make


def virtual(folder, rows=20, name="x"):
    """Write an array that lies in two other files, of which the second has so many rows."""
    layout = h5py.VirtualLayout(TABLE.shape, "f8")
    for number, count in enumerate((20, rows)):
        start = 20 * number
        with h5py.File(folder / f"part{number}.h5", "w") as opened:
            opened[name if number else "x"] = TABLE[start : start + count]
        layout[start : start + 20] = h5py.VirtualSource(f"part{number}.h5", "x", (20, 3))

    def change(opened):
        del opened["x"]
        opened.create_virtual_dataset("x", layout)

    return streamed(change)(folder)


def half_mapped(folder):
    layout = h5py.VirtualLayout(TABLE.shape, "f8")
    with h5py.File(folder / "part.h5", "w") as opened:
        opened["x"] = TABLE[:20]
    layout[:20] = h5py.VirtualSource("part.h5", "x", (20, 3))
    return streamed(lambda it: it.create_virtual_dataset("v", layout), {"inputs": "v"})(folder)


def linked(folder):
    """Write an array that is in another file, under another name."""
    with h5py.File(folder / "scan.h5", "w") as opened:
        opened["frames"] = TABLE
    link = h5py.ExternalLink("scan.h5", "/frames")
    return streamed(lambda it: it.__setitem__("link", link), {"inputs": "link"})(folder)


def half_written(opened):
    created(shape=(40, 3), dtype="f8", chunks=(10, 3))(opened)
    opened["x"][:20] = TABLE[:20]


def overwrite(folder):
    with (folder / "a.h5").open("r+b") as opened:
        opened.seek(-8, os.SEEK_END)
        opened.write(bytes(8))


def replace(folder):
    (folder / "new").mkdir()
    streamed(x=TABLE + 1)(folder / "new")
    (folder / "new" / "a.h5").replace(folder / "a.h5")


def halve(folder):
    os.truncate(folder / "a.h5", (folder / "a.h5").stat().st_size // 2)


def remove(name):
    return lambda folder: (folder / name).unlink()


def with_a_test(opened):
    opened["more"], opened["said"] = with_value((2, 1), value=np.inf)[:9], LABELS[:9]


LARGE = 2**60 + np.arange(120).reshape(40, 3)
TIMES = 1.7e9 + np.arange(40 * 5 * 2).reshape(40, 5, 2) / 1000
APART = {"test_inputs": "more", "test_labels": "said"}

CASES = [
    Case(
        "gaps in some rows",
        streamed(x=with_value((7, 1), (30, 0))),
        NODE,
        "nan in 2 of 40 examples: [7, 1], [30, 0]\nPlaces count from 0",
    ),
    Case("an infinite value in the test", streamed(with_a_test, APART), NODE, "infinite in 1 of 9"),
    Case("integers beyond floats", streamed(x=LARGE), NODE, "too large for floats,"),
    Case("black pictures", streamed(x=IMAGES / 255), NODE, "the brightest pixel of all images is"),
    Case(
        "a column of gaps alone",
        streamed(None, {"missing": "mean"}, x=with_value((slice(None), 1))),
        NODE,
        "'x': all values are missing in columns: 1",
    ),
    Case("the same value everywhere", streamed(x=np.ones((40, 3))), NODE, "every value is 1"),
    Case(
        "sequences of times in seconds",
        streamed(x=TIMES, options={"kind": "sequence"}),
        NODE,
        "sequence: column 0, like 1700000000…, differs by less than float32 can hold",
    ),
    Case("a damaged chunk", damaged(), NODE, "a.h5, rows 0 to 39, is no readable hdf5: "),
    Case("more labels than examples", streamed(y=np.arange(41) % 4), SUBMISSION, "and 41 labels"),
    Case(
        "chunks of many rows",
        streamed(created(data=TABLE, **CHUNKED)),
        TRAINS,
        "'x' is compressed in chunks of (10, 3): in random order up to 10 times as much is "
        "decompressed as is read. Faster, if it is streamed: h5repack -f NONE, or -l x:CHUNK=1x3",
    ),
    Case(
        "lzf, shuffled, with checksums",
        streamed(
            created(data=TABLE, chunks=(4, 2), compression="lzf", shuffle=True, fletcher32=True)
        ),
        TRAINS,
    ),
    Case(
        "a program that was killed before it had written all",
        streamed(half_written),
        TRAINS,
        "'x': 2 of 4 parts were never written, and are read as 0",
    ),
    Case(
        "gaps for what was never written",
        streamed(created(shape=(40, 3), dtype="f4", chunks=(10, 3), fillvalue=np.nan)),
        NODE,
        "nan in 40 of 40 examples",
    ),
    Case("floats of 2 bytes", streamed(x=TABLE.astype("f2")), TRAINS),
    Case("an array in other files", virtual, TRAINS),
    Case(
        "an array in other files, of which one is shorter",
        lambda folder: virtual(folder, 19),
        SUBMISSION,
        "it lies in other arrays, which are not there or of another size: 'x' in …part1.h5",
    ),
    Case(
        "an array in other files, of which one has it by another name",
        lambda folder: virtual(folder, name="y"),
        SUBMISSION,
        "which are not there or of another size: 'x' in …part1.h5",
    ),
    Case(
        "an array of which half is in another file, the rest in none",
        half_mapped,
        TRAINS,
        "'v': 60 of 120 values were never written, and are read as 0",
    ),
    Case("a link to an array of another name in another file", linked, TRAINS),
    Case(
        "a linked file that is removed meanwhile",
        linked,
        TRAINING,
        "scan.h5 is gone",
        remove("scan.h5"),
    ),
    Case(
        "a file that is removed meanwhile",
        streamed(),
        TRAINING,
        "a.h5 is gone\nRestore it",
        remove("a.h5"),
    ),
    Case("a file that is written meanwhile", streamed(), TRAINING, "a.h5 has changed", overwrite),
    Case("a file that is replaced meanwhile", streamed(), TRAINING, "a.h5 has changed", replace),
    Case("a file that is cut off meanwhile", streamed(), TRAINING, "a.h5 has changed", halve),
    Case(
        "a part that is removed meanwhile",
        virtual,
        TRAINING,
        "part1.h5 is gone",
        remove("part1.h5"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)
