"""Pictures as users have them: what their files hold."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from tests.support.unusual_data import Case, check
from tests.support.unusual_pictures import (
    JPEG,
    NOISE,
    PLAIN,
    RAMP,
    encoded,
    with_file,
    with_picture,
)

ODD_EXIF = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(
    ">HHHIHHHHI4sI", 2, 0x0112, 3, 1, 6, 0, 0x011A, 2, 2, b"x\0\0\0", 0
)
"""An orientation, and a resolution that is a word."""
EXIF = Image.Exif()
EXIF[0x0112] = 6


def mode(name, form):
    """The bytes of a file with a picture in one of Pillow's modes."""
    file = io.BytesIO()
    Image.fromarray(NOISE).convert(name).save(file, form)
    return file.getvalue()


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
LETTERS = PngImagePlugin.PngInfo()
LETTERS.add_text("made by", "x" * 2_000_000, zip=True)
RGBX = io.BytesIO()
Image.merge("RGBX", [Image.fromarray(NOISE[..., n % 3]) for n in range(4)]).save(RGBX, "TIFF")
CMYK = mode("CMYK", "JPEG")


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


FRAMES = [Image.fromarray(np.roll(NOISE, number, axis=1)) for number in range(3)]
ANIMATED = {"save_all": True, "append_images": FRAMES}
HTML = b"<!DOCTYPE html><html><body>403 Forbidden</body></html>"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2\nsize 12345\n"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500)
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'

UNREADABLE = "data.root: 1 of 9 pictures in … cannot be read: "
CASES = [
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
        "text in another script, and with a mark of its encoding",
        with_file("x.jpg", "\ufeff找不到图片\n".encode()),
        "submission",
        UNREADABLE + "text: cat/x.jpg",
    ),
    Case(
        "text in UTF-16",
        with_file("x.jpg", "not found".encode("utf-16")),
        "submission",
        UNREADABLE + "text: cat/x.jpg",
    ),
    Case(
        "a web page with a mark of its encoding",
        with_file("x.jpg", "\ufeff".encode() + HTML),
        "submission",
        UNREADABLE + "a web page: cat/x.jpg",
    ),
    Case(
        "zeros, after a crash of the disk",
        with_file("x.jpg", bytes(999)),
        "submission",
        UNREADABLE + "zeros, as a full disk or a crash leaves them: cat/x.jpg\nCopy them again.",
    ),
    Case(
        "a PGM in letters whose end is missing",
        with_file("x.pgm", b"P2\n4 4\n255\n" + b"1 2 3 4\n" * 3),
        "submission",
        UNREADABLE + "cut off or damaged: cat/x.pgm",
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
        "a BMP whose end is missing",
        with_file("x.bmp", encoded(NOISE, "BMP")[:-30]),
        "submission",
        UNREADABLE + "cut off or damaged: cat/x.bmp",
    ),
    Case(
        "a GIF whose end is missing",
        with_file("x.gif", encoded(NOISE, "GIF")[:-300]),
        "submission",
        UNREADABLE + "cut off or damaged: cat/x.gif",
    ),
    Case(
        "two million letters of text in a PNG",
        with_picture(NOISE, pnginfo=LETTERS),
        "submission",
        UNREADABLE + "more text or a larger colour profile than is read: cat/x.png\n"
        "Save them without metadata.",
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
    Case("grey with transparency", with_file("x.png", mode("LA", "PNG")), "trains"),
    Case("colours of a profile (ICC)", with_picture(NOISE, icc_profile=PROFILE), "trains"),
    Case("a palette of colours", with_file("x.png", mode("P", "PNG")), "trains"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)
