"""Pictures of users' names, and of few, many and impossible numbers."""

import itertools
import warnings

import matplotlib
import pytest
import torch
from matplotlib.figure import Figure

from hpc_dl.tasks import artifacts
from hpc_dl.tasks.artifacts import Picture
from hpc_dl.tasks.pictures import charts, figure, fonts, graphs
from hpc_dl.tasks.pictures.detection import detection
from hpc_dl.tasks.pictures.grids import grid
from hpc_dl.tasks.pictures.most_wrong import MostWrong
from hpc_dl.tasks.pictures.most_wrong_recordings import MostWrongRecordings
from hpc_dl.tasks.pictures.names import LONGEST, labels
from hpc_dl.tasks.pictures.plane import latent_plane

ODD = (
    "$10_$20",
    "$20_$30",
    "$\\frac{",
    "_private",
    "two\nlines\tand tabs",
    "\0\x07\x1b[31m",
    "%s {} {0} %(a)d",
    "",
    "\N{GRINNING FACE} 猫 خط",
    "\u202eright to left",
    "\udcff not UTF-8",
    "x" * 300,
    "x" * 150 + "y" + "x" * 149,
    "a\\$b$",
)
NAN = float("nan")


def texts(picture: Picture) -> list[str]:
    from matplotlib.text import Text

    return [it.get_text() for it in picture.figure.findobj(Text) if isinstance(it, Text)]


def bytes_of(picture: Picture, more: str = ""):
    """The picture without a layout of its parts, which takes most of the time."""
    picture.figure.set_layout_engine("none")
    return picture.pixels(more)


def test_letters_that_a_font_lacks_are_drawn_with_another(capsys):
    drawing = Figure(figsize=(2, 1))
    drawing.text(0.5, 0.5, "\u24b6")  # of matplotlib's own fonts, STIXGeneral alone has it
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bytes_of(Picture(drawing, "x"))
    assert "STIXGeneral" in drawing.texts[0].get_fontfamily()
    assert not capsys.readouterr().err


def test_letters_that_no_font_has_are_named_once(capsys, monkeypatch):
    monkeypatch.setattr(fonts, "_complaints", itertools.count())
    for letter in ("\U000f1234", "\U000f1235"):
        bytes_of(Picture(Figure(figsize=(2, 1)), letter))
    said = capsys.readouterr().err
    assert said.count("warning: no font on this machine has") == 1
    assert "\\U000f1234" in said


def test_labels_are_visible_short_and_different():
    shown = labels(ODD)
    assert shown[:4] == ["$10_$20", "$20_$30", "$\\frac{", " _private"]
    assert shown[4:6] == ["two\\nlines\\tand tabs", "\\x00\\x07\\x1b[31m"]
    assert shown[7] == "(empty)"
    assert shown[10] == "\\udcff not UTF-8"
    assert len(set(shown)) == len(ODD)
    assert max(map(len, shown)) <= LONGEST + len(" #12")
    assert all(it.isprintable() for it in shown)


def of_every_chart(names: tuple[str, ...], points: int):
    """Every picture that has the names of classes or targets in it."""
    classes, generator = len(names), torch.Generator().manual_seed(0)
    label = torch.randint(classes, (points,), generator=generator)
    probabilities = torch.rand(points, classes, generator=generator)
    predicted = probabilities.argmax(dim=1)
    numbers = torch.rand(points, classes, generator=generator)
    wrong, images = MostWrong(), torch.rand(points, 1, 4, 4)
    wrong.update({"image": images, "label": label}, probabilities)
    heard = MostWrongRecordings(8000.0)
    lengths = torch.full((points,), 300)
    batch = {"audio": torch.rand(points, 300), "audio_length": lengths, "label": label}
    heard.update(batch, probabilities)
    edge = torch.randint(points, (2, 3 * points), generator=generator)
    codes = [(torch.rand(points, 3, generator=generator), {"label": label})]
    return {
        "confusion": charts.confusion(predicted, label, names),
        "roc": charts.roc_curves(probabilities, label, names),
        "predictions": charts.predictions(numbers, numbers + 0.1, names),
        "residuals": charts.residuals(numbers, names),
        "most wrong": wrong.artifacts(names)["most_wrong"],
        "most wrong recordings": heard.artifacts(names)["most_wrong"],
        "rows": grid(images, 1, "Images", rows=names),
        "cells": grid(images, 8, "Images", cells=names[:points]),
        "graph": graphs.network(edge, predicted, label[:1] * 0, names),
        "nodes": graphs.plane(numbers, label, names),
        "codes": latent_plane(codes, names),
    }


def test_odd_names_are_drawn_as_they_are_and_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, picture in of_every_chart(ODD, 40).items():
            assert bytes_of(picture, ", split of $10_$20").std() > 0, name
            assert "$10_$20" in " ".join(texts(picture)), name


@pytest.mark.parametrize("points", [1, 3])
def test_few_examples_are_drawn(points):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, picture in of_every_chart(("a", "b", "c"), points).items():
            assert picture.figure.axes, name


def test_what_is_no_number_is_left_out():
    label, numbers = torch.tensor([0, 1, 0]), torch.tensor([[NAN, NAN], [NAN, 1e300], [NAN, -1.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for picture in (
            charts.roc_curves(numbers, label, ("a", "b")),
            charts.predictions(numbers.double(), numbers.double(), ("a", "b")),
            charts.residuals(numbers, ("a", "b")),
            graphs.plane(numbers, label, ("a", "b")),
            latent_plane([(numbers, {"label": label})], ("a", "b")),
            grid(numbers.view(3, 1, 1, 2), 8, "Images"),
            *detection(numbers[:, 0], label > 0).values(),
            *detection(torch.zeros(3), label > 0).values(),
        ):
            bytes_of(picture)


def test_many_classes_have_some_names_and_share_cells():
    names = tuple(f"class {number}" for number in range(2500))
    label = torch.arange(2500)
    picture = charts.confusion(label, label, names)
    (image,) = picture.figure.axes[0].images
    assert image.get_array().shape == (834, 834)
    assert picture.caption == "Confusion matrix, 3 classes to a cell"
    shown = [it.get_text() for it in picture.figure.axes[0].get_yticklabels()]
    assert shown[:2] == ["class 0", "class 63"]
    assert len(shown) <= charts.MOST_NAMES


def test_a_row_of_few_images_is_not_filled_with_those_of_the_next():
    picture = grid(torch.rand(10, 1, 4, 4), 8, "Reconstructions", rows=["original", "decoded"])
    assert [it.get_text() for it in picture.figure.axes[0].get_yticklabels()] == [
        "original",
        "decoded",
    ]
    assert picture.figure.axes[0].images[0].get_array().shape[:2] == (10, 24)


def test_large_images_and_images_of_many_channels_are_drawn():
    drawn = grid(torch.rand(2, 3, 1000, 300), 8, "Photographs").figure.axes[0].images[0]
    assert drawn.get_array().shape == (262, 148, 3)
    drawn = grid(torch.rand(2, 12, 4, 4), 8, "A satellite's").figure.axes[0].images[0]
    assert drawn.get_array().shape == (5, 9)


def test_a_huge_figure_is_drawn_with_fewer_pixels(monkeypatch):
    monkeypatch.setattr(artifacts, "MOST_PIXELS", 2**18)
    monkeypatch.setattr(artifacts, "LONGEST_SIDE", 2**10)
    height, width, _ = Picture(Figure(figsize=(500, 400), dpi=100), "Huge").pixels().shape
    assert height * width <= 2**18 * 1.01
    height, width, _ = Picture(Figure(figsize=(50_000, 40_000)), "Larger").pixels().shape
    assert height * width <= 2**18 * 1.01
    height, width, _ = Picture(Figure(figsize=(50, 1), dpi=100), "Long").pixels().shape
    assert width <= 2**10


def test_formulas_of_a_users_own_figure_are_drawn_and_what_is_none_as_it_stands():
    drawing = Figure(figsize=(2, 2))
    title = drawing.subplots().set_title(r"$\beta$")
    Picture(drawing, "A").pixels()
    assert title.get_parse_math()
    title.set_text("$10_$20")
    Picture(drawing, "A").pixels()
    assert not title.get_parse_math()


def test_pictures_need_no_latex_where_a_users_code_asks_for_it():
    with matplotlib.rc_context({"text.usetex": True}):
        for drawing in (figure(2, 2)[0], Figure(figsize=(2, 2))):
            drawing.gca().set_title("$10_$20 & 50 %")
            assert bytes_of(Picture(drawing, "A")).std() > 0


def test_a_title_is_no_wider_than_its_picture():
    picture = grid(torch.rand(1, 1, 4, 4), 8, "Samples of the whole network, drawn")
    width = picture.pixels(", validation split, averaged weights of step 100").shape[1]
    title = picture.figure.get_suptitle()
    (drawn,) = (it for it in picture.figure.texts if it.get_text() == title)
    assert title.splitlines()[-1].endswith("step 100")
    assert drawn.get_window_extent().width <= width


def test_a_figure_without_axes_is_drawn():
    assert Picture(Figure(figsize=(1, 1)), "Nothing").pixels().shape == (100, 100, 3)
    assert Picture(figure(1, 1)[0], "Empty axes").pixels().shape == (130, 130, 3)
