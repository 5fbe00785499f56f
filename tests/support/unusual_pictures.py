"""Folders of pictures with something unusual in them."""

import io

import numpy as np
from PIL import Image

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (24, 24, 3), dtype=np.uint8)
RAMP = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)


def encoded(picture, form="PNG", **options):
    """The bytes of a file with a picture."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, form, **options)
    return file.getvalue()


PLAIN = [encoded(np.roll(NOISE, number, axis=0)[:16, :12]) for number in range(16)]
JPEG = encoded(NOISE, "JPEG")


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
