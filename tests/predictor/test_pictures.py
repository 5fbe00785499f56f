"""Pictures are predicted alike from whatever holds them; what is no picture of the network's is
refused."""

import numpy as np
import pandas
import pytest
import torch
from PIL import Image

from hpc_dl.data.pictures.cache import decode
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.sources.image_folder import ImageFolder
from hpc_dl.predictor import load
from tests.support import exports

CNN = {"name": "cnn", "channels": [4]}
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
"""Five pictures as PIL has them: (H, W, C)."""
PICTURES = [Image.fromarray(it) for it in PIXELS]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Five pictures as files, and the export of a network that takes such."""
    root = tmp_path_factory.mktemp("pictures")
    for number, picture in enumerate(PICTURES):
        picture.save(root / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def colour(root):
    return load(exports.export(root / "colour", CNN, exports.COLOUR))


@pytest.fixture(scope="module")
def resizing(root):
    """Of a source that makes its pictures 32 x 32, whatever they are."""
    data = {"name": "image_folder", "root": str(root), "size": [32, 32]}
    return load(exports.export(root / "resizing", CNN, exports.COLOUR, data=data))


@pytest.fixture(scope="module")
def grey(root):
    return load(exports.export(root / "grey", CNN, exports.GREY))


FIRST = PIXELS.transpose(0, 3, 1, 2)
FORMS = {
    "PIL": lambda root: PICTURES,
    "paths": lambda root: [root / f"{number}.png" for number in range(5)],
    "paths as text": lambda root: tuple(str(root / f"{number}.png") for number in range(5)),
    "paths in an array": lambda root: np.array(
        [str(root / f"{number}.png") for number in range(5)]
    ),
    "paths in a column": lambda root: pandas.Series([str(root / f"{n}.png") for n in range(5)]),
    "PIL beside paths": lambda root: [root / "0.png", *PICTURES[1:]],
    "bytes, HWC": lambda root: PIXELS,
    "bytes, CHW": lambda root: FIRST,
    "floats, HWC": lambda root: PIXELS / 255,
    "floats, CHW": lambda root: np.float32(FIRST) / 255,
    "nested lists": lambda root: (FIRST / 255).tolist(),
    "a list of arrays": lambda root: list(PIXELS),
    "a list of tensors": lambda root: [torch.from_numpy(it) for it in PIXELS],
    "a tensor": lambda root: torch.from_numpy(FIRST.copy()).div(255).requires_grad_(),
    "a tensor of doubles": lambda root: torch.from_numpy(PIXELS).double() / 255,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["colour", "resizing"])
def test_pictures_are_predicted_alike_from_files_pil_and_arrays(request, root, kind, form):
    predictor = request.getfixturevalue(kind)
    expected = predictor.predict(FIRST / 255)
    given = FORMS[form](root)
    said = predictor.predict(given)
    for name, values in said.items():
        np.testing.assert_array_equal(values, expected[name])
    alone = predictor.predict(given[3])
    assert alone["class"].tolist() == [expected["class"][3]]
    np.testing.assert_allclose(alone["probabilities"][0], expected["probabilities"][3], 1e-5)


def test_grey_pictures_need_no_axis_of_channels(grey):
    pixels = PIXELS[:4, :8, :8, 0]
    expected = grey.predict(pixels[:, None])["probabilities"]
    for given in (pixels, pixels[..., None], list(pixels), [Image.fromarray(it) for it in pixels]):
        np.testing.assert_array_equal(grey.predict(given)["probabilities"], expected)
    for given in (pixels[2], pixels[2][None], pixels[2][..., None], pixels[2] / 255):
        np.testing.assert_allclose(grey.predict(given)["probabilities"], expected[2:3], 1e-5)


def test_channels_first_is_meant_where_both_would_fit(root):
    facts = DataFacts.of("image", "classify", (3, 3, 3), ("a", "b"), 8, 4, 4)
    options = {"name": "ffnn", "hidden": [4]}
    predictor = load(exports.export(root / "three", options, facts))
    pixels = PIXELS[:2, :3, :3]
    said = predictor.predict(pixels)["probabilities"]
    with torch.no_grad():
        outputs = predictor.nets["model"](torch.from_numpy(pixels).float() / 255)
    np.testing.assert_allclose(said, outputs.softmax(1).numpy(), 1e-5)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("size", [(32, 32), (50, 40)])
def test_files_and_pictures_of_any_mode_are_decoded_as_in_the_training(root, resizing, mode, size):
    picture = Image.fromarray(PIXELS[0]).resize(size)
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 256)
    else:
        picture = picture.convert(mode)
    path = root / f"mode.{'tif' if mode in ('CMYK', 'I;16') else 'png'}"
    picture.save(path)
    source = ImageFolder(name="image_folder", root="", size=[32, 32])
    expected = resizing.predict(decode(path, source))["probabilities"]
    for given in (path, picture, [picture]):
        np.testing.assert_array_equal(resizing.predict(given)["probabilities"], expected)


def test_pictures_are_turned_upright_before_their_sides_are_compared(root):
    facts = DataFacts.of("image", "classify", (3, 40, 30), ("a", "b"), 8, 4, 4)
    predictor = load(exports.export(root / "upright", CNN, facts))
    upright = Image.fromarray(PIXELS[0]).resize((30, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # it lies on its side, and has to be turned by 90 degrees, clockwise
    upright.rotate(90, expand=True).save(root / "turned.png", exif=exif)
    expected = predictor.predict(upright)["probabilities"]
    turned = root / "turned.png"
    for given in (turned, Image.open(turned)):
        np.testing.assert_array_equal(predictor.predict(given)["probabilities"], expected)


def changed(value, dtype=np.float32):
    floats = (PIXELS / 255).astype(dtype)
    floats[2, 5, 7, 1] = value
    return floats


REFUSED = {
    "another size": (np.zeros((3, 64, 64)), r"image is \(3, 64, 64\), but .* \(N, 3, 32, 32\)"),
    "another number of channels": (PIXELS[..., :2], r"image is \(5, 32, 32, 2\)"),
    "grey": (PIXELS[..., 0], r"image is \(5, 32, 32\)"),
    "flat": (PIXELS.reshape(5, -1), r"image is \(5, 3072\)"),
    "floats of bytes": (PIXELS.astype(float), r"from 0 to 1\nDivide .* bytes by 255"),
    "standardised": (PIXELS / 127.5 - 1, "from 0 to 1"),
    "truth values as bytes": ((PIXELS > 99).astype(np.uint8), "almost black"),
    "a folder": (".", r"image: \. is a folder"),
    "integers": (PIXELS.astype(int), r"image is int64, .* uint8, .*\n.*astype\('uint8'\)"),
    "not a number": (changed(np.nan), r"image\[2, 1, 5, 7\] is nan"),
    "infinite": (changed(np.inf), r"image\[2, 1, 5, 7\] is inf"),
    "too large": (changed(1e300, float), r"image\[2, 1, 5, 7\] is 1e\+300, which float32 cannot"),
    "nothing": ([], "image is "),
    "no pictures": (PIXELS[:0], "image is empty"),
    "a picture beside an array": ([PICTURES[0], PIXELS[1]], "image is ndarray beside pictures"),
    "none": (None, "image is of Python objects"),
    "no file": ("nowhere.png", r"there is no file nowhere\.png"),
    "of mixed sizes": ([PIXELS[0], PIXELS[1][:5]], "its parts are of different shapes"),
    "PIL of another size": (
        [PICTURES[0], PICTURES[1].resize((30, 20))],
        "image has 20 x 30 pixels, height x width, but has to have 32 x 32",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_picture_that_does_not_fit_the_network_is_refused(colour, case):
    given, message = REFUSED[case]
    with pytest.raises(UserError, match=message):
        colour.predict(given)


def test_a_file_that_is_no_picture_or_too_deep_is_named(root, resizing):
    (root / "text.png").write_text("no picture")
    with pytest.raises(UserError, match=r"text\.png is not a readable picture"):
        resizing.predict(root / "text.png")
    deep = Image.fromarray(np.zeros((32, 32), np.float32))
    deep.save(root / "deep.tif")
    for given in (deep, root / "deep.tif"):
        with pytest.raises(UserError, match="is not a readable picture: it has 32 bits a pixel"):
            resizing.predict(given)


def test_all_files_that_cannot_be_read_are_named_at_once(root, resizing):
    (root / "empty.png").touch()
    with pytest.raises(UserError) as refused:
        resizing.predict([root / "0.png", root / "empty.png", root / "gone.png"])
    assert str(refused.value).splitlines() == [
        "image: 2 faults",
        f"  {root / 'empty.png'} is not a readable picture: empty",
        f"  image: there is no file {root / 'gone.png'}",
        "Remove or replace them.",
    ]


def test_arrays_of_another_size_are_refused_even_if_files_are_resized(resizing):
    with pytest.raises(UserError, match=r"\(64, 64, 3\), but has to be \(N, 3, 32, 32\)"):
        resizing.predict(np.zeros((64, 64, 3)))
