"""Pictures as they are decoded: upright, on white, 8 bits; the same wherever they are decoded."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

from hpc_dl.data.pictures import decoding, header_notes
from hpc_dl.data.pictures.decoding import decode
from hpc_dl.data.pictures.header import header
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.image_folder import ImageFolder
from tests.support import reading

RNG = np.random.default_rng(0)
UPRIGHT = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)
STORED = {  # how a camera that is held so stores it: the inverse of what shows it upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def save_turned(path, orientation):
    taken = Image.fromarray(UPRIGHT)
    if orientation in STORED:
        taken = taken.transpose(STORED[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    taken.save(path, exif=exif, **({"lossless": True} if path.suffix == ".webp" else {}))


def rgb(pixels):
    return pixels.transpose(1, 2, 0)


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_upright_however_the_camera_was_held(tmp_path, suffix, orientation):
    path = tmp_path / f"x.{suffix}"
    save_turned(path, orientation)
    assert np.array_equal(rgb(decode(path, 3)), UPRIGHT)
    assert header(path).size == (6, 9)
    assert header(path).turned == (orientation != 1)


def test_a_jpeg_is_upright_too(tmp_path):
    dark_above = Image.fromarray(np.repeat(np.array([0, 255], np.uint8), 8)[:, None].repeat(16, 1))
    exif = Image.Exif()
    exif[0x0112] = 6
    dark_above.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "x.jpg", exif=exif)
    upright = decode(tmp_path / "x.jpg", 1)[0]
    assert upright[:8].max() < 40
    assert upright[8:].min() > 215


def drawn_in_alpha(mode):
    """Black everywhere; a square in the middle is opaque, all else transparent."""
    alpha = np.zeros((8, 8), np.uint8)
    alpha[2:6, 2:6] = 255
    picture = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    picture.putalpha(Image.fromarray(alpha))
    if mode == "P":
        palette = Image.fromarray(alpha // 255)
        palette.putpalette([9, 9, 9, 0, 0, 0])
        palette.info["transparency"] = 0
        return palette
    if mode == "L with tRNS":
        grey = Image.fromarray(200 - alpha // 255 * 200)
        grey.info["transparency"] = 200
        return grey
    if mode == "RGB with tRNS":
        colour = Image.new("RGB", (8, 8), (1, 2, 3))
        colour.paste((0, 0, 0), (2, 2, 6, 6))
        colour.info["transparency"] = (1, 2, 3)
        return colour
    if mode == "I;16 with tRNS":
        deep = Image.fromarray(np.where(alpha == 255, 0, 999).astype(np.uint16))
        deep.info["transparency"] = 999
        return deep
    return picture.convert("RGBA" if mode == "PA" else mode)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "mode",
    ["RGBA", "RGBa", "LA", "P", "L with tRNS", "RGB with tRNS", "I;16 with tRNS"],
)
def test_what_is_drawn_in_alpha_is_seen_on_white(mode, channels):
    pixels = decode(drawn_in_alpha(mode), channels)
    assert pixels.shape == (channels, 8, 8)
    assert (pixels[:, 2:6, 2:6] == 0).all()
    pixels[:, 2:6, 2:6] = 255
    assert (pixels == 255).all()


def test_half_transparent_is_half_white(tmp_path):
    Image.new("RGBA", (2, 2), (0, 0, 0, 127)).save(tmp_path / "x.png")
    assert (decode(tmp_path / "x.png", 3) == 128).all()
    assert header(tmp_path / "x.png").transparent


def test_white_on_transparent_is_refused_for_nothing_of_it_would_be_seen(tmp_path):
    white = Image.new("RGBA", (4, 4), (255, 255, 255, 0))
    white.putpixel((1, 1), (255, 255, 255, 255))
    white.save(tmp_path / "x.png")
    with pytest.raises(UserError, match=r"x\.png is not .*white on transparent"):
        decode(tmp_path / "x.png", 3)
    assert (decode(Image.new("RGBA", (4, 4), (0, 0, 0, 0)), 3) == 255).all(), "empty it may be"


RAMP = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)


@pytest.mark.parametrize("file", ["x.png", "x.tif", "x.pgm"])
def test_16_bits_become_8_of_the_same_brightness(tmp_path, file):
    Image.fromarray(RAMP).save(tmp_path / file)
    assert np.array_equal(decode(tmp_path / file, 1)[0].flatten(), np.arange(256))
    assert header(tmp_path / file).deep


def test_16_bits_big_endian_and_in_colour_are_grey_in_every_channel():
    big = Image.frombytes("I;16B", (16, 16), RAMP.astype(">u2").tobytes())
    assert (decode(big, 3).reshape(3, 256) == np.arange(256)).all()


def test_16_bits_are_turned_too(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(np.ascontiguousarray(RAMP[::-1, ::-1])).save(tmp_path / "x.png", exif=exif)
    assert np.array_equal(decode(tmp_path / "x.png", 1)[0].flatten(), np.arange(256))


def test_colours_of_16_bits_become_8(tmp_path):
    """Of a PNG, which Pillow reads and does not write."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" + struct.pack(">HHH", 0, 128 * 257, 65535))),
        (b"IEND", b""),
    ]
    packed = (
        struct.pack(">I", len(it)) + name + it + struct.pack(">I", zlib.crc32(name + it))
        for name, it in chunks
    )
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    assert decode(tmp_path / "x.png", 3).flatten().tolist() == [0, 128, 255]
    assert header(tmp_path / "x.png").deep


def tiff_of_12_bits(path, left, right):
    """A picture of two pixels, as a camera for microscopes saves it; Pillow writes none such."""
    entries = {256: 2, 257: 1, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 3}
    directory = b"".join(struct.pack("<HHIHH", tag, 3, 1, it, 0) for tag, it in entries.items())
    pixels = (left << 12 | right).to_bytes(3, "big") + b"\0"
    head = struct.pack("<2sHI", b"II", 42, 12) + pixels
    path.write_bytes(head + struct.pack("<H", len(entries)) + directory + bytes(4))


def test_12_bits_in_a_tiff_are_taken_for_12(tmp_path):
    tiff_of_12_bits(tmp_path / "x.tif", 2048, 4095)
    assert decode(tmp_path / "x.tif", 1).tolist() == [[[128, 255]]]


def test_the_range_of_32_bits_is_not_guessed(tmp_path):
    Image.fromarray(RAMP.astype(np.int32)).save(tmp_path / "x.tif")
    Image.fromarray(RAMP.astype(np.float32)).save(tmp_path / "y.tif")
    for file in "xy":
        with pytest.raises(UserError, match=rf"{file}\.tif is not .* 32 bits a pixel"):
            decode(tmp_path / f"{file}.tif", 3)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV"])
def test_every_other_mode_is_read_by_what_it_shows(mode):
    shown = Image.fromarray(np.repeat(UPRIGHT[..., :1] // 128 * 255, 3, axis=2))  # black and white
    pixels = decode(shown.convert(mode), 3).astype(int)
    assert abs(rgb(pixels) - np.asarray(shown)).max() <= 2
    assert abs(decode(shown.convert(mode), 1).astype(int) - pixels[:1]).max() <= 2


def test_the_first_of_several_frames_is_read(tmp_path):
    frames = [Image.new("L", (4, 4), shade) for shade in (50, 200)]
    for suffix in ("gif", "tif", "png"):
        path = tmp_path / f"x.{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:])
        assert (decode(path, 1) == 50).all()
        assert header(path).several


def test_a_path_a_file_and_a_picture_give_the_same_and_stay_as_they_were(tmp_path):
    save_turned(tmp_path / "x.png", 6)
    data = (tmp_path / "x.png").read_bytes()
    with Image.open(tmp_path / "x.png") as opened:
        ours = [decode(it, 3, (5, 7)) for it in (tmp_path / "x.png", io.BytesIO(data), opened)]
        assert opened.getexif()[0x0112] == 6
    assert all(np.array_equal(ours[0], it) for it in ours)
    assert ours[0].shape == (3, 5, 7)


def test_a_picture_of_too_many_pixels_is_refused_with_the_number(tmp_path, monkeypatch):
    Image.new("L", (100, 100)).save(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UserError, match=r"x\.png is not .*: it has more than 0 million pixels"):
        decode(tmp_path / "x.png", 3)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "gif", "bmp", "webp"])
def test_a_picture_that_is_cut_off_is_named(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    noise = RNG.integers(0, 256, (60, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=rf"x\.{suffix} is not a readable picture"):
        decode(path, 3)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "gif", "bmp", "webp"])
def test_of_a_whole_picture_no_pixel_is_read_to_know_its_header(tmp_path, monkeypatch, suffix):
    Image.fromarray(UPRIGHT).save(tmp_path / f"x.{suffix}")
    monkeypatch.setattr(Image.Image, "load", None)
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)
    assert header(tmp_path / f"x.{suffix}").size == (6, 9)


@pytest.fixture
def mixed(tmp_path):
    """Four pictures in each of two classes, of all that has to be minded."""
    root = tmp_path / "pictures"
    for label in "ab":
        (root / label).mkdir(parents=True)
        save_turned(root / label / "turned.png", 8)
        drawn_in_alpha("RGBA").save(root / label / "alpha.png")
        Image.fromarray(RAMP).save(root / label / "deep.png")
        Image.fromarray(UPRIGHT).save(root / label / "plain.JPG", quality=95)
    return ImageFolder(name="image_folder", root=str(root), size=[6, 9], validation=0.2, test=0.2)


def test_the_plan_says_how_pictures_are_decoded(mixed, tmp_path):
    notes = reading.describe(mixed, tmp_path).notes
    assert notes == (
        "2 of 8 pictures are turned upright, by their EXIF orientation",
        "2 of 8 pictures have transparency: white is put behind them",
        "2 of 8 pictures have 16 bits a channel, which become 8",
        "2 of 8 pictures are grey, and become RGB (data.channels: 1 reads all as grey)",
        "pictures of 6 x 9 to 16 x 16 pixels are resized to 6 x 9 (height x width, data.size); "
        "their proportions are not kept",
        "4 pictures are in several classes, byte for byte the same, such as a/alpha.png and "
        "b/alpha.png (8 files)",
    )
    grey = reading.describe(mixed.model_copy(update={"channels": 1}), tmp_path).notes
    assert "6 of 8 pictures have colours, and become grey (data.channels: 3 keeps them)" in grey


def test_of_very_many_pictures_some_are_looked_at(mixed, tmp_path, monkeypatch):
    monkeypatch.setattr(header_notes, "MOST", 4)
    notes = reading.describe(mixed, tmp_path).notes
    assert "2 of 4 pictures sampled of 8 have transparency: white is put behind them" in notes


def test_resident_and_streamed_pictures_are_decoded_alike(mixed, tmp_path):
    resident = reading.load(mixed, tmp_path, tmp_path)
    streamed = reading.load(mixed, tmp_path, tmp_path, 0)
    assert resident.facts == streamed.facts == reading.describe(mixed, tmp_path)
    found = []
    for name in ("train", "validation", "test"):
        ours, theirs = (getattr(it, name) for it in (resident, streamed))
        every = torch.arange(len(ours))
        assert torch.equal(ours.batch(every)["image"], theirs.batch(every)["image"])
        found += list(ours.tensors["image"].numpy())
    assert sum(np.array_equal(rgb(image), UPRIGHT) for image in found) == 2, "the turned ones"


def test_pictures_that_were_decoded_by_another_rule_are_decoded_anew(mixed, tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "RULE", 1)
    reading.load(mixed, tmp_path, tmp_path)
    (old,) = (tmp_path / "cache").glob("*.npy")
    np.save(old, np.zeros_like(np.load(old)))
    monkeypatch.undo()
    assert reading.load(mixed, tmp_path, tmp_path).train.tensors["image"].any()


def test_a_picture_that_memory_cannot_hold_is_not_called_damaged(tmp_path, monkeypatch):
    def resize(*_):
        raise MemoryError

    save_turned(tmp_path / "x.png", 1)
    monkeypatch.setattr(Image.Image, "resize", resize)
    with pytest.raises(UserError, match="it does not fit into memory\nScale it down"):
        decode(tmp_path / "x.png", 3, (9, 9))
