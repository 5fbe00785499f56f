"""Folders of pictures as users have them."""

import io
import os
import shutil
import socket
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from pydantic import TypeAdapter

from hpc_dl.jobspec.sources import DataSpec
from tests.support import reading
from tests.support.unusual_data import Case, check

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (24, 24, 3), dtype=np.uint8)
RAMP = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)

ODD_EXIF = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(
    ">HHHIHHHHI4sI", 2, 0x0112, 3, 1, 6, 0, 0x011A, 2, 2, b"x\0\0\0", 0
)
"""An orientation, and a resolution that is a word."""


def encoded(picture, form="PNG", **options):
    """The bytes of a file with a picture."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, form, **options)
    return file.getvalue()


PLAIN = [encoded(np.roll(NOISE, number, axis=0)[:16, :12]) for number in range(16)]
JPEG = encoded(NOISE, "JPEG")
EXIF = Image.Exif()
EXIF[0x0112] = 6


def mode(name, form):
    """The bytes of a file with a picture in one of Pillow's modes."""
    file = io.BytesIO()
    Image.fromarray(NOISE).convert(name).save(file, form)
    return file.getvalue()


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
RGBX = io.BytesIO()
Image.merge("RGBX", [Image.fromarray(NOISE[..., n % 3]) for n in range(4)]).save(RGBX, "TIFF")
CMYK = mode("CMYK", "JPEG")


def options(root):
    return {"name": "image_folder", "root": str(root), "size": [4, 4], "validation": 0.2}


def usual(root, *places):
    """Write four pictures into the folder of each class."""
    plain = iter(PLAIN)
    for place in places or ("cat", "dog"):
        (root / place).mkdir(parents=True, exist_ok=True)
        for number in range(4):
            (root / place / f"{number}.png").write_bytes(next(plain))


def with_file(name, content, many=1):
    """A usual folder, and so many files beside the pictures of cats."""

    def make(folder):
        usual(folder / "pictures")
        for number in range(many):
            place = name.replace("#", str(number))
            (folder / "pictures" / "cat" / place).write_bytes(content)
        return options(folder / "pictures")

    return make


def with_picture(picture, name="x.png", form="PNG", **how):
    """A usual folder, and another picture."""
    return with_file(name, encoded(picture, form, **how))


def with_place(make_place):
    """A usual folder, and what is made at `cat/x.png`."""

    def make(folder):
        usual(folder / "pictures")
        make_place(folder / "pictures" / "cat" / "x.png")
        return options(folder / "pictures")

    return make


def folders(*places, root="pictures"):
    """Folders of pictures."""

    def make(folder):
        usual(folder / root, *places)
        return options(folder / root)

    return make


def listen(place):
    """Make a socket; its name is short, as that of one may be."""
    short = Path(tempfile.gettempdir()) / f"hpcdl-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(short))
        short.rename(place)


def large_png(side):
    """A picture of so many black pixels a side, by its header, which takes few bytes."""
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0),
        b"IDAT": zlib.compress(bytes(9)),
        b"IEND": b"",
    }
    packed = (
        struct.pack(">I", len(it)) + name + it + struct.pack(">I", zlib.crc32(name + it))
        for name, it in chunks.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def tiff_of_bands(bands):
    """A TIFF of one pixel in so many bands, as satellites take them."""
    tags = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 8, 277: bands, 278: 1, 279: bands}
    pixels = bytes(bands).ljust(-(-bands // 4) * 4, b"\0")
    directory = b"".join(struct.pack("<HHIHH", tag, 3, 1, it, 0) for tag, it in tags.items())
    head = struct.pack("<2sHI", b"II", 42, 8 + len(pixels)) + pixels
    return head + struct.pack("<H", len(tags)) + directory + bytes(4)


def damaged(folder):
    """A picture that is whole by its header and its end."""
    middle = PLAIN[0][:60] + bytes(40) + PLAIN[0][100:]
    return with_file("#.png", middle, 5)(folder)


def flat(table):
    def make(folder):
        root = folder / "kaggle"
        root.mkdir()
        for number, content in enumerate(PLAIN):
            (root / f"{number}.png").write_bytes(content)
        if table:
            (root / table).write_text("id,breed\n0,poodle\n")
        return options(root)

    return make


def archive(folder):
    with zipfile.ZipFile(folder / "pictures.zip", "w") as file:
        file.writestr("cat/0.png", PLAIN[0])
    return options(folder / "pictures.zip")


def one_file(folder):
    (folder / "cat.png").write_bytes(PLAIN[0])
    return options(folder / "cat.png")


def leaked(folder):
    usual(folder / "pictures", "train/cat", "train/dog", "test/cat", "test/dog")
    shutil.copy(folder / "pictures/train/cat/0.png", folder / "pictures/test/cat/copy.png")
    return options(folder / "pictures")


def copied(source, target):
    def make(folder):
        usual(folder / "pictures")
        shutil.copy(folder / "pictures" / source, folder / "pictures" / target)
        return options(folder / "pictures")

    return make


def unpacked_twice(folder):
    usual(folder / "pictures", "dogs/dogs/poodle", "dogs/dogs/beagle")
    return options(folder / "pictures")


def odd_root(written):
    def make(folder):
        usual(folder / "pictures")
        return options(written.format(folder=folder))

    return make


def empty_class(folder):
    usual(folder / "pictures")
    (folder / "pictures" / "bird").mkdir()
    return options(folder / "pictures")


def lone_picture(folder):
    usual(folder / "pictures")
    (folder / "pictures" / "bird").mkdir()
    (folder / "pictures" / "bird" / "0.png").write_bytes(PLAIN[9])
    return {**options(folder / "pictures"), "validation": 0.1, "test": 0.1, "split_seed": 1}


def twins(folder):
    usual(folder / "pictures", "café", "cafe\u0301")
    return options(folder / "pictures")


FRAMES = [Image.fromarray(np.roll(NOISE, number, axis=1)) for number in range(3)]
ANIMATED = {"save_all": True, "append_images": FRAMES}
HTML = b"<!DOCTYPE html><html><body>403 Forbidden</body></html>"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2\nsize 12345\n"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500)
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'

UNREADABLE = "data.root: 1 of 9 pictures in … cannot be read: "
CASES = [
    # what files hold
    Case(
        "a web page saved as .jpg by a scraper",
        with_file("x.jpg", HTML),
        "submission",
        UNREADABLE + "a web page: cat/x.jpg\nDownload them again.",
    ),
    Case(
        "a pointer of Git LFS",
        with_file("x.png", LFS),
        "submission",
        UNREADABLE + "a pointer of Git LFS: cat/x.png\n`git lfs pull` fetches the pictures.",
    ),
    Case(
        "HEIC of a telephone, renamed to .jpg",
        with_file("IMG_1.jpg", HEIC),
        "submission",
        UNREADABLE + "HEIC, which is not read: cat/IMG_1.jpg\nSave them as JPEG or PNG.",
    ),
    Case(
        "text under the name of a picture",
        with_file("x.png", b"no picture\n"),
        "submission",
        UNREADABLE + "text: cat/x.png",
    ),
    Case(
        "SVG under the name of a PNG",
        with_file("x.png", SVG),
        "submission",
        UNREADABLE + "a drawing in SVG or other XML: cat/x.png",
    ),
    Case(
        "DICOM under the name of a TIFF",
        with_file("x.tif", bytes(128) + b"DICM" + bytes(99)),
        "submission",
        UNREADABLE + "DICOM, which is not read: cat/x.tif",
    ),
    Case(
        "an archive under the name of a picture",
        with_file("x.png", b"PK\x03\x04" + bytes(99)),
        "submission",
        UNREADABLE + "an archive: cat/x.png",
    ),
    Case(
        "bytes of no known format",
        with_file("x.png", bytes(range(1, 200))),
        "submission",
        UNREADABLE + "of no known format: cat/x.png",
    ),
    Case(
        "an empty file",
        with_file("x.png", b""),
        "submission",
        UNREADABLE + "empty: cat/x.png\nRemove or replace them.",
    ),
    Case(
        "a PNG whose end is missing",
        with_file("x.png", PLAIN[0][:-30]),
        "submission",
        UNREADABLE + "cut off or damaged: cat/x.png",
    ),
    Case(
        "a JPEG whose end is missing",
        with_file("x.jpg", JPEG[: len(JPEG) // 2]),
        "submission",
        UNREADABLE + "cut off or damaged: cat/x.jpg",
    ),
    Case(
        "a TIFF whose end is missing",
        with_file("x.tif", encoded(NOISE, "TIFF")[:900]),
        "submission",
        UNREADABLE + "cut off or damaged: cat/x.tif",
    ),
    Case(
        "a WebP whose end is missing",
        with_file("x.webp", encoded(NOISE, "WEBP", lossless=True)[:900]),
        "submission",
        UNREADABLE + "cut off or damaged: cat/x.webp",
    ),
    Case(
        "many empty files",
        with_file("#.jpg", b"", 9),
        "submission",
        "9 of 17 pictures in … cannot be read (…broken-….txt lists all): "
        "empty: cat/0.jpg, cat/1.jpg, cat/2.jpg and 6 more",
    ),
    Case(
        "PNGs that are damaged in the middle",
        damaged,
        "node",
        "data.root: 5 of 9 pictures in … cannot be read (…broken-….txt lists all): "
        "cut off or damaged: cat/0.png, cat/1.png, cat/2.png and 2 more",
    ),
    Case(
        "30 000 x 30 000 pixels",
        with_file("x.png", large_png(30_000)),
        "submission",
        UNREADABLE + "it has more than 179 million pixels, the most that are decoded: cat/x.png\n"
        "Scale it down, or cut it into tiles.",
    ),
    Case(
        "a TIFF of 13 bands of a satellite",
        with_file("x.tif", tiff_of_bands(13)),
        "submission",
        UNREADABLE + "a TIFF of channels or numbers that are not read, or damaged: cat/x.tif\n"
        "Save it as grey or RGB, of 8 or 16 bits; of several bands, make arrays: data.name: npz.",
    ),
    Case(
        "a TIFF of red, green, blue and near infrared",
        with_file("x.tif", RGBX.getvalue()),
        "trains",
        "1 of 9 pictures have more than three channels, of which the first are read",
    ),
    Case(
        "a TIFF of floats",
        with_picture(RAMP.astype(np.float32) / 65535, "x.tif", "TIFF"),
        "submission",
        UNREADABLE + "it has 32 bits a pixel, whose range is not known; save it with 8 or 16",
    ),
    Case(
        "values of 12 bits in a PNG of 16",
        with_picture(RAMP // 16),
        "submission",
        "the pictures of 16 bits are almost black, such as …x.png: "
        "the brightest of the 1 sampled has 16 of 255",
    ),
    Case(
        "white on transparent",
        with_picture(np.dstack([np.full((8, 8, 3), 255, np.uint8), NOISE[:8, :8, 0]])),
        "node",
        UNREADABLE + "what it shows is white on transparent, and transparent becomes white",
    ),
    Case(
        "16 bits a pixel",
        with_picture(RAMP),
        "trains",
        "1 of 9 pictures have 16 bits a channel, which become 8",
    ),
    Case(
        "CMYK of a print shop",
        with_file("x.jpg", CMYK),
        "trains",
        "1 of 9 pictures are in CMYK, and become RGB without their colour profile",
    ),
    Case(
        "transparency",
        with_picture(np.dstack([NOISE, NOISE[..., 0]])),
        "trains",
        "1 of 9 pictures have transparency: white is put behind them",
    ),
    Case(
        "a photo of a telephone that was held upright",
        with_picture(NOISE, "x.jpg", "JPEG", exif=EXIF),
        "trains",
        "1 of 9 pictures are turned upright, by their EXIF orientation",
    ),
    Case(
        "EXIF with values of the wrong kind",
        with_picture(NOISE, "x.jpg", "JPEG", exif=ODD_EXIF),
        "trains",
        "1 of 9 pictures are turned upright, by their EXIF orientation",
    ),
    Case(
        "a photo with another angle in it (MPO)",
        with_picture(NOISE, "x.jpg", "MPO", save_all=True, append_images=[Image.fromarray(NOISE)]),
        "trains",
    ),
    Case(
        "PostScript under the name of a picture, which nothing runs",
        with_picture(NOISE, "x.png", "EPS"),
        "submission",
        UNREADABLE + "PostScript: cat/x.png",
    ),
    Case(
        "a drawing of a format that is not read",
        with_picture(NOISE, "x.png", "TGA"),
        "submission",
        UNREADABLE + "of no known format: cat/x.png\nSave them as JPEG or PNG.",
    ),
    Case(
        "a moving GIF",
        with_picture(NOISE, "x.gif", "GIF", **ANIMATED),
        "trains",
        "1 of 9 pictures have several frames or pages, of which the first is read",
    ),
    Case(
        "a TIFF of several pages",
        with_picture(NOISE, "x.tif", "TIFF", **ANIMATED),
        "trains",
        "1 of 9 pictures have several frames or pages, of which the first is read",
    ),
    Case(
        "black and white, a bit a pixel",
        with_picture(NOISE[..., 0] > 99),
        "trains",
        "1 of 9 pictures are grey, and become RGB (data.channels: 1 reads all as grey)",
    ),
    Case(
        "a picture of one pixel, and one of 1 x 3000",
        with_picture(NOISE[:1].repeat(125, axis=1)),
        "trains",
        "to 1 x 3000 pixels are resized to 4 x 4 (height x width, data.size); "
        "their proportions are not kept",
    ),
    Case("a PNG named .jpg", with_picture(NOISE, "x.jpg"), "trains"),
    Case("bytes behind the end of a picture", with_file("x.png", PLAIN[9] + bytes(99)), "trains"),
    Case("AVIF named .png", with_picture(NOISE, "x.png", "AVIF"), "trains"),
    Case("grey with transparency", with_file("x.png", mode("LA", "PNG")), "trains"),
    Case("colours of a profile (ICC)", with_picture(NOISE, icc_profile=PROFILE), "trains"),
    Case("a palette of colours", with_file("x.png", mode("P", "PNG")), "trains"),
    # what names are
    Case(
        "a file name in Latin-1",
        with_file(os.fsdecode(b"caf\xe9.png"), PLAIN[9]),
        "submission",
        "data.root: …pictures: names not in UTF-8: cat/caf\\udce9.png\nRename them, for example",
    ),
    Case(
        "the name of a class in Latin-1",
        folders("cat", os.fsdecode(b"caf\xe9")),
        "submission",
        "data.root: the name of folder 'caf\\udce9' in …pictures is not in UTF-8",
    ),
    Case(
        "a file beside the pictures whose name is in Latin-1",
        with_file(os.fsdecode(b"x.caf\xe9"), b""),
        "trains",
        "files of classes that are not read: 1 .caf\\udce9",
    ),
    Case("the name of a file with a line break", with_file("a\nb.png", PLAIN[9]), "trains"),
    Case(
        "a broken picture with such a name",
        with_file("a\nb.png", b""),
        "submission",
        UNREADABLE + "empty: cat/a\\nb.png",
    ),
    Case("names of signs", with_file("$HOME %d '\"`{}\\ 🐈.png", PLAIN[9]), "trains"),
    Case("classes $10_$20 and 50%", folders("$10_$20", "50%"), "trains"),
    Case("a name of 255 bytes", with_file("x" * 251 + ".png", PLAIN[9]), "trains"),
    Case(
        "classes café in two ways of writing é",
        twins,
        "trains",
        "classes 'cafe\u0301', 'café' are several, though their names are nearly the same",
    ),
    Case(
        "what macOS, Windows and a NAS leave behind",
        with_file("._0.png", b"left behind"),
        "trains",
    ),
    Case(
        "names with a blank at their end",
        with_file("#.png ", PLAIN[9]),
        "trains",
        "files of classes that are not read: 1 .png",
    ),
    Case(
        "names that a scraper took from addresses",
        with_file("x.jpg?w=#", JPEG, 9),
        "trains",
        "files of classes that are not read: 1 .jpg?w=…and 4 more",
    ),
    Case(
        "JPEGs without a suffix",
        with_file("#", JPEG, 3),
        "trains",
        "files of classes that are not read: 3 without suffix",
    ),
    # what is no file
    Case(
        "a named pipe",
        with_place(os.mkfifo),
        "submission",
        "data.root: …pictures: a named pipe, not a file: cat/x.png",
    ),
    Case(
        "a socket",
        with_place(listen),
        "submission",
        "data.root: …pictures: a socket, not a file: cat/x.png",
    ),
    Case(
        "a link to a device",
        with_place(lambda place: place.symlink_to("/dev/zero")),
        "submission",
        "data.root: …pictures: a device, not a file: cat/x.png",
    ),
    Case(
        "a link to nowhere",
        with_place(lambda place: place.symlink_to("purged.png")),
        "submission",
        "data.root: …pictures: a link to nowhere: cat/x.png",
    ),
    Case(
        "a link to itself",
        with_place(lambda place: place.symlink_to(place)),
        "submission",
        "data.root: …pictures: Too many levels of symbolic links: cat/x.png",
    ),
    Case(
        "a folder of a class that leads back to the root",
        with_place(lambda place: (place.parent / "up").symlink_to(place.parents[1])),
        "trains",
        "pictures in sub-folders count to their class",
    ),
    # how folders lie
    Case(
        "the same picture in train and test",
        leaked,
        "trains",
        "1 pictures are in several splits, byte for byte the same: what is measured on them is "
        "too good, such as train/cat/0.png and test/cat/copy.png",
    ),
    Case(
        "the same picture in two classes",
        copied("cat/0.png", "dog/9.png"),
        "trains",
        "1 pictures are in several classes, byte for byte the same, such as cat/0.png and "
        "dog/9.png",
    ),
    Case(
        "the same picture twice",
        copied("cat/0.png", "cat/0 (1).png"),
        "trains",
        "1 pictures are there several times, byte for byte the same, of which one may be drawn for "
        "the test, such as cat/0 (1).png and cat/0.png",
    ),
    Case(
        "a folder of Kaggle: pictures, and a table of labels",
        flat("labels.csv"),
        "submission",
        "data.root: …kaggle has no folder for a class: 16 pictures lie directly in it\n"
        "Pictures are looked for as …kaggle/CLASS/*.png or …kaggle/train/CLASS/*.png. "
        "Move each into a folder named after its class, as labels.csv has it.",
    ),
    Case(
        "pictures without folders",
        flat(""),
        "submission",
        "has no folder for a class: 16 pictures lie directly in it",
    ),
    Case(
        "an archive",
        archive,
        "submission",
        "data.root: …pictures.zip is an archive\nUnpack it, and name the folder it makes.",
    ),
    Case("one picture", one_file, "submission", "data.root: …cat.png is a file\n"),
    Case(
        "a folder that is not there",
        odd_root("{folder}/pictures/gone/far"),
        "submission",
        "data.root: there is no folder …pictures/gone/far; …pictures is the last part of it that "
        "exists",
    ),
    Case(
        "a root whose name is in Latin-1",
        folders(root=os.fsdecode(b"caf\xe9")),
        "submission",
        "data.root: …caf\\udce9 is not in UTF-8\nRename",
    ),
    Case(
        "a folder under a variable",
        odd_root("{folder}/$SCRATCH/pictures"),
        "submission",
        "Variables like $HOME are not replaced in a spec.",
    ),
    Case("a slash behind the root", odd_root("{folder}/pictures/"), "trains"),
    Case("a way around in the root", odd_root("{folder}/pictures/../pictures/."), "trains"),
    Case(
        "an archive that was unpacked into a folder of its name",
        unpacked_twice,
        "submission",
        "has one folder, dogs, which holds folders alone\nShould it be data.root: …pictures/dogs?",
    ),
    Case(
        "splits below a folder",
        folders("archive/train/cat", "archive/test/cat"),
        "submission",
        "has one folder, archive, which holds folders alone\nShould it be data.root: …/archive?",
    ),
    Case(
        "pictures and their masks",
        folders("images", "masks"),
        "submission",
        "images, masks look like pictures and their masks, but would be classes",
    ),
    Case("a class of one picture", lone_picture, "trains"),
    Case(
        "a class without a picture",
        empty_class,
        "submission",
        "has no picture of class bird\nKnown are .bmp",
    ),
    Case(
        "check-points of a notebook among the classes",
        folders("cat", "dog", ".ipynb_checkpoints"),
        "trains",
    ),
    Case(
        "a folder a day below the classes",
        folders("cat/monday", "cat/tuesday", "dog"),
        "trains",
        "pictures in sub-folders count to their class: cat/monday, cat/tuesday",
    ),
]


def test_notes_on_names_that_are_no_text_can_be_printed_anywhere(tmp_path):
    wanted = with_file(os.fsdecode(b"x.caf\xe9"), b"")(tmp_path)
    (tmp_path / "pictures" / "cat" / os.fsdecode(b"\xe9")).mkdir()
    (tmp_path / "pictures" / os.fsdecode(b"\xe9.txt")).touch()
    facts = reading.describe(TypeAdapter(DataSpec).validate_python(wanted), tmp_path)
    assert "\\udce9.txt" in "\n".join(facts.notes).encode().decode()


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)
