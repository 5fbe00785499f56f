"""`hpcdl data show`: the picture of a job's data, whatever they are."""

import csv
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from hpc_dl.data import loading, show, sources
from hpc_dl.data.show import answers
from hpc_dl.data.show.bars import draw_histogram
from hpc_dl.data.show.graphs import induced, neighbourhood
from hpc_dl.data.show.images import _choose
from hpc_dl.data.show.texts import WIDE, _beginning
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.tasks.artifacts import Picture
from tests.support import every_architecture, reading
from tests.support.pictures import folder_of_pictures

DATA = Path("data")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Caches are written to a folder of the test."""
    monkeypatch.chdir(tmp_path)


def options(data: dict[str, Any]):
    """The options of a source, as a job has them."""
    model = {"name": "cnn"}
    spec = {"name": "shown", "model": model, "data": data, "train": {"epochs": 1}}
    return JobSpec.model_validate(spec).data


def drawn(data: dict[str, Any], root: Path = DATA) -> Picture:
    asked = options(data)
    return show.draw(reading.load(asked, root), asked, root)


def titles(picture: Picture) -> list[str]:
    return [axis.get_title() for axis in picture.figure.axes]


def test_images_are_shown_class_by_class_and_augmented(tmp_path):
    picture = drawn({"name": "digits", "augment": {"crop": 1, "flip": True}})
    assert titles(picture) == [
        "Training examples",
        "The same with data.augment: crop 1, flip",
        "Examples of 10 classes",
    ]
    plain, augmented, _ = picture.figure.axes
    rows = [it.get_text() for it in plain.get_yticklabels()]
    assert rows == [str(digit) for digit in range(10)]
    pixels, changed = (it.images[0].get_array() for it in (plain, augmented))
    assert pixels.shape == changed.shape
    assert not np.array_equal(pixels, changed)
    picture.figure.set_layout_engine("none")  # it takes most of the time
    picture.save(tmp_path / "shown.png")
    assert Image.open(tmp_path / "shown.png").width == 1404


def test_of_many_classes_each_has_an_image(tmp_path):
    x = np.random.default_rng(0).random((300, 6, 6, 3), np.float32)
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(300) % 30)
    asked = options({"name": "npz", "path": str(tmp_path / "a.npz")})
    splits = reading.load(asked, DATA)
    choice = _choose(splits, 0)
    labels = splits.train.tensors["label"][choice.positions]
    assert labels.tolist() == list(range(30))
    assert list(choice.cells) == [str(it) for it in range(30)]
    assert titles(show.draw(splits, asked, Path()))[0] == "Training examples of 30 classes"


def test_only_the_pictures_that_are_shown_are_decoded(tmp_path, monkeypatch):
    folder_of_pictures(tmp_path / "pictures", 80)
    asked = options({"name": "image_folder", "root": str(tmp_path / "pictures"), "size": [8, 8]})
    splits = loading.load(sources.build(asked, DATA), 0)
    read = []
    reader = type(splits.train.reader)
    whole = reader.read
    monkeypatch.setattr(
        reader, "read", lambda self, files: read.extend(files) or whole(self, files)
    )
    picture = show.draw(splits, asked, Path())
    assert len(read) == 24
    assert picture.caption.startswith("image_folder pictures: 64 training")


ODD = ("$10_$20", "_b", "two\nlines", "", "東京")


def test_columns_are_shown_with_their_gaps_whatever_their_names(tmp_path):
    path = tmp_path / "$people_$.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["$age_$", "_city", "member", "joined", "y"])
        for row in range(60):
            age, city = "" if row % 9 == 0 else 20 + row, ODD[row % 5]
            writer.writerow([age, city, row % 3 == 0, f"2021-01-{row % 28 + 1:02}", ODD[row % 3]])
    picture = drawn({"name": "csv", "path": str(path), "target": "y", "dates": ["joined"]})
    assert titles(picture) == [
        "$age_$ (7 gaps)",
        " _city (12 gaps)",
        "member",
        "joined",
        "Examples of 3 classes",
    ]
    cities = [it.get_text() for it in picture.figure.axes[1].get_yticklabels()]
    assert {"$10_$20", " _b", "two\\nlines", "東京", "(gap)"} == set(cities)
    picture.figure.set_layout_engine("none")
    assert picture.pixels().std() > 0


def test_many_columns_and_targets_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("hpc_dl.data.show.tables.MOST_COLUMNS", 3)
    monkeypatch.setattr("hpc_dl.data.show.answers.MOST_TARGETS", 2)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(50, 73)), random.normal(size=(50, 20)) * 1e37
    x[0, 0] = 1e38
    np.savez(tmp_path / "a.npz", x=x, y=y)
    picture = drawn({"name": "npz", "path": str(tmp_path / "a.npz"), "task": "regress"})
    shown = titles(picture)
    assert shown == ["column 0", "column 1", "column 2", "", "target y0", "target y1", ""]
    more = [it.get_text() for number in (3, 6) for it in picture.figure.axes[number].texts]
    assert more == ["and 70 more columns", "and 18 more targets"]


def test_gaps_of_an_array_are_counted(tmp_path):
    x = np.arange(120.0).reshape(40, 3)
    x[::2, 1] = np.nan
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(40) % 2)
    asked = {"name": "npz", "path": str(tmp_path / "a.npz"), "missing": "mean"}
    first, second, *_ = titles(drawn(asked))
    assert first == "column 0"
    assert second == "column 1 (16 gaps)"


def test_of_rows_that_are_streamed_a_sample_is_read(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["y"] = np.random.default_rng(0).normal(size=(3000, 2)), np.arange(3000) % 2
    asked = options({"name": "hdf5", "path": str(tmp_path / "a.h5")})
    monkeypatch.setattr("hpc_dl.data.sources.arrays._check_streamed", None)
    splits = loading.load(sources.build(asked, tmp_path), 0, check=False)
    picture = show.draw(splits, asked, Path())
    assert picture.figure.axes[0].get_ylabel() == "rows, of 2,000"


def test_sequences_are_shown_as_curves(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 9, 12)).astype("f")
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(40) % 2)
    picture = drawn({"name": "npz", "path": str(tmp_path / "a.npz"), "kind": "sequence"})
    shown = titles(picture)
    assert len(shown) == 6 + 8 + 1
    assert shown[0].endswith("(8 of 12 features)")
    assert shown[6:8] == [f"feature {it}, of 32 training examples" for it in (0, 1)]
    assert picture.figure.axes[0].get_ylabel() == ""


def test_features_of_other_scales_are_standardised(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 9, 2)) * [1, 1e6] + [0, 1e5]
    np.savez(tmp_path / "a.npz", x=x.astype("f"), y=np.arange(40) % 2)
    picture = drawn({"name": "npz", "path": str(tmp_path / "a.npz"), "kind": "sequence"})
    first = picture.figure.axes[0]
    assert first.get_ylabel() == "standardised"
    assert all(abs(line.get_ydata()).max() < 10 for line in first.lines)
    counted = picture.figure.axes[7]
    assert counted.get_xlim()[1] > 1e6


def test_wide_images_have_a_height_and_their_targets_above_them(tmp_path):
    x = np.random.default_rng(0).random((40, 8, 300), np.float32)
    np.savez(tmp_path / "a.npz", x=x, y=np.linspace(0, 1, 40))
    picture = drawn({"name": "npz", "path": str(tmp_path / "a.npz"), "task": "regress"})
    axis = picture.figure.axes[0]
    sheet = axis.images[0].get_array()
    assert sheet.shape[1] == 2 * 300 + 36
    assert len(axis.texts) == 10
    assert all(0 <= float(it.get_text()) <= 1 for it in axis.texts)


@pytest.mark.parametrize(
    ("names", "named", "counted"),
    [(3, "x", "y"), (20, "y", "x"), (70, None, "y")],
    ids=["few", "long names", "many"],
)
def test_classes_are_counted_in_whole_numbers(names, named, counted):
    counts = {"training": [2] * names, "validation": [0] * names, "test": [1] * names}
    panel = answers._classes(counts, tuple(f"class with a long name {it}" for it in range(names)))
    axis = Figure().subplots()
    panel.draw(axis)
    assert getattr(axis, f"get_{counted}label")() == "examples"
    assert all(it == round(it) for it in getattr(axis, f"get_{counted}ticks")())
    if named:
        assert len(getattr(axis, f"get_{named}ticklabels")()) == names


def test_whole_numbers_have_whole_ticks():
    axis = Figure().subplots()
    draw_histogram(axis, {"year": torch.full((9,), 2017.0)})
    assert axis.get_xticks().tolist() == [2016, 2017, 2018]


def test_texts_are_shown_from_their_beginnings(tmp_path):
    (tmp_path / "a.txt").write_text("$to_be or_$ not\t" * 40, encoding="utf-8")
    picture = drawn({"name": "text", "path": str(tmp_path / "a.txt"), "length": 16})
    assert titles(picture)[0] == "Training examples"
    assert picture.figure.axes[0].texts[0].get_text() == "$to_be or_$ not\\t"
    assert titles(picture)[1:] == [
        "Most frequent of 11 tokens, in 32 training examples",
        "Lengths of training examples, in tokens",
    ]
    picture.figure.set_layout_engine("none")
    assert picture.pixels().std() > 0


def test_a_line_of_text_is_no_longer_than_the_picture_is_wide():
    assert _beginning("a" * WIDE) == "a" * WIDE
    assert _beginning("a" * (WIDE + 1)) == "a" * (WIDE - 1) + "…"
    assert _beginning("東" * WIDE) == "東" * (WIDE // 2 - 1) + "…"
    assert _beginning("") == ""


def test_the_graph_of_nodes_is_shown():
    assert titles(drawn({"name": "karate"})) == [
        "The graph of 34 nodes",
        "Degrees of nodes",
        "Examples of 4 classes",
    ]


def test_of_many_graphs_some_are_shown():
    splits = every_architecture.graphs()
    shown = titles(show.draw(splits, options({"name": "karate"}), Path()))
    assert len([it for it in shown if it.startswith("graph ")]) == 6
    assert shown[6:] == [
        "Nodes of a graph",
        "Edges of a graph",
        "Degrees of nodes",
        "Examples of 4 classes",
    ]


def test_of_a_large_graph_a_neighbourhood_is_shown():
    ring = torch.stack([torch.arange(1000), (torch.arange(1000) + 1) % 1000])
    kept = neighbourhood(ring, 1000, 500, 9)
    assert kept.tolist() == list(range(496, 505))
    assert induced(ring, kept, 1000).tolist() == [list(range(8)), list(range(1, 9))]
    alone = neighbourhood(torch.zeros(2, 0, dtype=torch.int64), 20, 7, 5)
    assert 7 in alone.tolist()
    assert len(alone) == 5


@pytest.mark.parametrize("count", [1, 3])
def test_few_examples_are_shown(tmp_path, count):
    x, y = np.random.default_rng(0).random((count, 4, 4)), np.arange(count).astype(float)
    for kind in ("image", "sequence"):
        np.savez(tmp_path / "a.npz", x=x, y=y % 2 if count > 1 else y)
        given = {"name": "npz", "path": str(tmp_path / "a.npz"), "kind": kind}
        assert titles(drawn({**given, "task": "classify"}))


@pytest.mark.parametrize(
    "data, first",
    [
        ({"name": "synthetic_music", "pieces": 20}, "example {}, in seconds"),
        ({"name": "synthetic_vowels", "examples": 60}, "example {}: "),
        ({"name": "synthetic_moving_digits", "clips": 80}, "example {}: "),
    ],
    ids=["music", "audio", "video"],
)
def test_music_recordings_and_clips_are_drawn(data, first):
    picture = drawn(data)
    start, end = first.split("{}")
    assert titles(picture)[0].startswith(start)
    assert end in titles(picture)[0]
    assert picture.pixels().std() > 0
