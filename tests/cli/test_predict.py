"""`hpcdl predict`: examples in all forms, predicted as in Python, and files that can be trusted."""

import json
from dataclasses import replace
from io import StringIO

import numpy as np
import pandas
import pytest
from PIL import Image

from hpc_dl.cli import main
from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.jobspec.notes import NAMES, NOTES
from hpc_dl.predictor import load
from hpc_dl.predictor.examples import series
from tests.support import exports
from tests.support.snapshots import write

FOLDER = {"name": "image_folder", "root": "x", "size": [8, 8], "channels": 1}
SERIES = DataFacts(
    "sequence",
    "forecast",
    {"sequence": Feature("float", (6, 2), ("load", "wind"))},
    {"future": Feature("float", (3, 2), ("load", "wind"))},
    *exports.SIZES,
)
ROLL = Feature("float", (None, NOTES), NAMES, longest=8, rate=200 / 60)
MUSIC = DataFacts("music", "predict_notes", {"music": ROLL}, {"next": ROLL}, *exports.SIZES)
LSTM = {"name": "lstm", "hidden": 4}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Exports of networks, and a folder of seven pictures of several sizes."""
    root = tmp_path_factory.mktemp("predict")
    exports.export(root / "pictures", *exports.PICTURES["cnn"], data=FOLDER)
    exports.export(root / "series", LSTM, SERIES)
    exports.export(root / "music", LSTM, MUSIC)
    reviews = exports.export(root / "reviews", LSTM, exports.REVIEWS)
    write(reviews / "assets", exports.ASSETS)
    for name in ("gan", "vae conditional", "autoencoder", "gnn", "gnn of graphs"):
        exports.export(root / name, *exports.MEMBERS[name])
    noise = np.random.default_rng(0)
    for number in range(7):
        path = root / "shot" / f"day {number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = noise.integers(0, 256, (8 + number, 9), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return root


@pytest.fixture
def hpcdl(root, tmp_path, capsys, monkeypatch):
    """The command, with the exit code and what is printed; an export goes by its name."""
    monkeypatch.chdir(tmp_path)

    def call(command, export, *words):
        code = main([command, str(root / export), *map(str, words)])
        return code, *capsys.readouterr()

    return call


def test_pictures_of_a_folder_are_predicted_in_batches_as_in_python(hpcdl, root):
    code, printed, _ = hpcdl("predict", "pictures", root / "shot", "--batch-size", 3)
    assert code == 0
    found = pandas.read_csv(StringIO(printed))
    files = sorted((root / "shot").rglob("*.png"))
    assert found["file"].tolist() == [str(it.relative_to(root / "shot")) for it in files]
    expected = load(root / "pictures").predict([*map(str, files)])
    assert found["class"].tolist() == expected["class"].tolist()
    assert found.columns.tolist() == ["file", "class", "probability"]
    np.testing.assert_allclose(found["probability"], expected["probabilities"].max(1), rtol=1e-5)


def test_the_suffix_chooses_the_form_and_all_forms_say_the_same(hpcdl, root, tmp_path):
    for suffix in ("csv", "parquet", "jsonl", "npz"):
        out = tmp_path / f"out.{suffix}"
        words = (root / "shot", "-o", out, "--probabilities", "--batch-size", 3)
        assert hpcdl("predict", "pictures", *words)[0] == 0
    frame = pandas.read_csv("out.csv")
    pandas.testing.assert_frame_equal(pandas.read_parquet("out.parquet"), frame, check_dtype=False)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    pandas.testing.assert_frame_equal(pandas.DataFrame(lines), frame, check_dtype=False)
    arrays = np.load("out.npz")
    assert arrays["class"].tolist() == frame["class"].tolist()
    assert arrays["file"].tolist() == frame["file"].tolist()
    columns = [f"probability of {it}" for it in ("cat", "dog", "owl")]
    np.testing.assert_allclose(arrays["probabilities"], frame[columns], rtol=1e-5)


def test_broken_pictures_are_all_named_and_skipped_when_asked(hpcdl, root, tmp_path):
    for number in range(5):
        Image.new("L", (8, 8)).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes(b"")
    (tmp_path / "4.png").write_text("hello")
    words = ("pictures", tmp_path, "--batch-size", 2, "-o", "out.csv")
    code, _, said = hpcdl("predict", *words)
    assert code == 2
    assert [line.split(" ")[0] for line in said.splitlines()][:2] == ["broken:", "broken:"]
    assert "1.png" in said
    assert "4.png" in said
    assert "2 examples cannot be read, so nothing is written\n--skip-broken leaves them" in said
    assert not (tmp_path / "out.csv").exists()
    code, _, said = hpcdl("predict", *words, "--skip-broken")
    assert code == 0
    assert said.splitlines()[-2:] == [
        "2 left out, for they cannot be read",
        "3 predicted: out.csv",
    ]
    assert pandas.read_csv("out.csv")["file"].tolist() == ["0.png", "2.png", "3.png"]
    assert not [*tmp_path.glob(".*")]


def test_a_file_that_is_there_is_left_alone(hpcdl, root, tmp_path):
    (tmp_path / "out.csv").write_text("mine")
    words = ("pictures", root / "shot", "-o", "out.csv")
    code, _, said = hpcdl("predict", *words)
    assert (code, said) == (2, "error: out.csv is there already\n--force replaces it.\n")
    assert (tmp_path / "out.csv").read_text() == "mine"
    assert hpcdl("predict", *words, "--force")[0] == 0
    assert len(pandas.read_csv("out.csv")) == 7


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "there is no file or folder nowhere"),
        (["."], "has no pictures in it, but 1 .txt\nKnown are .bmp"),
        (["a.txt", "-o", "out.xls"], "out.xls: the suffix says the form of the file, and .xls is"),
        (["a.txt", "-o", "no/out.csv"], "there is no folder no\nmkdir -p no"),
        (["a.txt", "beam=3"], "these predictions have no options, but got beam"),
        (["a.txt", "b.txt"], "INPUT is one file or folder"),
        ([], "INPUT is one file or folder, or --text gives texts"),
        (["--text", "a"], "was trained on image, not on texts"),
        (["a.txt", "--column", "b"], "--column is of files with several texts or arrays"),
    ],
)
def test_what_cannot_be_predicted_is_refused_with_what_to_do(hpcdl, tmp_path, words, said):
    (tmp_path / "a.txt").write_text("hello")
    code, printed, errors = hpcdl("predict", "pictures", *words)
    assert (code, printed) == (2, "")
    assert said in errors


def test_arrays_go_by_their_names_and_their_shape_is_checked_first(hpcdl, root, tmp_path):
    image = np.random.default_rng(0).random((5, 8, 8))
    np.savez("x.npz", image=image, other=np.zeros(3))
    np.save("x.npy", image)
    expected = load(root / "pictures").predict(image)["class"].tolist()
    for words in (["x.npz"], ["x.npy"], ["x.npz", "--column", "image"]):
        code, printed, _ = hpcdl("predict", "pictures", *words, "--batch-size", 2)
        assert code == 0
        frame = pandas.read_csv(StringIO(printed))
        assert frame["class"].tolist() == expected
        assert frame["example"].tolist() == [0, 1, 2, 3, 4]
    image[3, 0, 0] = np.nan
    np.savez("x.npz", a=image, b=np.zeros((4, 3)))
    said = hpcdl("predict", "pictures", "x.npz", "--column", "a")[2]
    assert "broken: x.npz[3]: image[0, 0, 0, 0] is nan" in said
    said = hpcdl("predict", "pictures", "x.npz", "--column", "b")[2]
    assert "broken" not in said
    assert "error: image is (1, 3), but has to be (N, 1, 8, 8)" in said
    said = hpcdl("predict", "pictures", "x.npz")[2]
    assert "no array 'image'\nIt has: a, b. --column names the one to predict." in said


def test_graphs_are_predicted_at_once_and_a_row_is_a_node_or_a_graph(hpcdl, root):
    for name, noun in (("gnn", "node"), ("gnn of graphs", "graph")):
        given = exports.inputs(*exports.MEMBERS[name])
        np.savez(f"{noun}.npz", **given)
        expected = load(root / name).predict(given)["class"].tolist()
        code, printed, _ = hpcdl("predict", name, f"{noun}.npz", "--batch-size", 1)
        assert code == 0
        frame = pandas.read_csv(StringIO(printed))
        assert frame["class"].tolist() == expected
        assert frame.columns[0] == noun


def test_a_forecast_has_a_row_for_each_step_after_the_end_of_the_file(hpcdl, root, tmp_path):
    values = np.random.default_rng(0).random((9, 2))
    table = pandas.DataFrame(values, columns=["wind", "load"]).assign(other=1)
    table.to_csv("x.csv", index=False)
    code, printed, said = hpcdl("predict", "series", "x.csv")
    assert code == 0
    assert "the forecast is of what follows the last row, 9" in said
    frame = pandas.read_csv(StringIO(printed))
    each = [f"{name}{end}" for name in ("load", "wind") for end in ("", " 10%", " 90%")]
    assert frame.columns.tolist() == ["step", *each]
    expected = load(root / "series").predict(values[None, 3:, ::-1])["forecast"][0]
    np.testing.assert_allclose(frame[["load", "wind"]], expected, rtol=1e-4)
    table.loc[7, "wind"] = np.nan
    table.to_csv("x.csv", index=False)
    assert "in 'wind': row 8" in hpcdl("predict", "series", "x.csv")[2]
    table[:4].to_csv("x.csv", index=False)
    assert "has 4 steps, but the network sees 6" in hpcdl("predict", "series", "x.csv")[2]


@pytest.mark.parametrize(
    ("lines", "texts"),
    [
        (["text", '"to be, or not"', "be"], ["to be, or not", "be"]),
        (["text", "to be (or not)!", "isn't it?"], ["to be (or not)!", "isn't it?"]),
        (["text", '"to\nbe; or"'], ["to\nbe; or"]),
    ],
)
def test_a_table_may_be_one_column_of_texts(hpcdl, tmp_path, lines, texts):
    (tmp_path / "x.csv").write_text("\n".join([*lines, ""]))
    code, printed, said = hpcdl("predict", "reviews", "x.csv")
    assert code == 0, said
    assert pandas.read_csv(StringIO(printed))["text"].tolist() == texts


def test_files_whose_lines_are_no_texts_are_refused(hpcdl, tmp_path):
    (tmp_path / "x.jsonl").write_text('{"text": "to be"}\n')
    code, _, said = hpcdl("predict", "reviews", "x.jsonl")
    assert code == 2
    assert "x.jsonl holds no plain lines of text" in said


def test_series_are_read_by_the_options_of_the_training(tmp_path):
    (tmp_path / "x.csv").write_text("Station 7\n" + "\n".join(["load|wind", *["1|2"] * 6]))
    facts = replace(SERIES, csv={"sep": "|", "skiprows": 1})
    (part,) = series.of(tmp_path / "x.csv", facts).parts
    assert part.given.tolist() == [[[1, 2]] * 6]


def test_reconstructions_are_arrays_and_a_table_has_their_errors(hpcdl, root):
    code, printed, said = hpcdl("predict", "autoencoder", root / "shot")
    assert code == 2  # of the same size as the training's, which was not resized
    assert "broken" in said
    np.save("x.npy", np.zeros((3, 8, 8)))
    code, printed, said = hpcdl("predict", "autoencoder", "x.npy")
    assert printed.startswith("example,code[0],code[1],code[2],code[3],error\n")
    assert "note: reconstruction are arrays, which -o FILE.npz holds" in said
    assert hpcdl("predict", "autoencoder", "x.npy", "-o", "y.npz", "--batch-size", 2)[0] == 0
    assert np.load("y.npz")["reconstruction"].shape == (3, 1, 8, 8)


def test_pictures_are_generated_by_seed_as_files_with_a_grid(hpcdl, tmp_path):
    code, _, said = hpcdl("generate", "gan", "--count", 70, "--seed", 3, "-o", "a")
    assert (code, said) == (0, "70 generated: a\n")
    names = sorted(it.name for it in (tmp_path / "a").iterdir())
    assert names == [*(f"{it:05d}.png" for it in range(1, 71)), "grid.png"]
    assert Image.open("a/00070.png").size == (8, 8)
    hpcdl("generate", "gan", "--count", 2, "--seed", 3, "-o", "b")
    assert (tmp_path / "b/00002.png").read_bytes() == (tmp_path / "a/00002.png").read_bytes()
    hpcdl("generate", "gan", "--count", 70, "--seed", 4, "-o", "c.npz")
    pixels = np.load("c.npz")["image"]
    assert pixels.shape == (70, 1, 8, 8)
    assert not np.array_equal(np.array(Image.open("a/00001.png")), (pixels[0, 0] * 255).round())
    assert "a is there already" in hpcdl("generate", "gan", "-o", "a")[2]
    assert "x.png: a folder of files will be there" in hpcdl("generate", "gan", "-o", "x.png")[2]


def test_a_conditional_network_generates_the_classes_in_turn_or_one(hpcdl):
    hpcdl("generate", "vae conditional", "--count", 4, "-o", "all.npz")
    hpcdl("generate", "vae conditional", "--count", 4, "--class", "dog", "-o", "dog.npz")
    every, dogs = np.load("all.npz")["image"], np.load("dog.npz")["image"]
    same = [bool(np.array_equal(one, dog)) for one, dog in zip(every, dogs, strict=True)]
    assert same == [False, True, False, False]
    said = hpcdl("generate", "vae conditional", "--class", "cow", "-o", "x.npz")[2]
    assert "there is no class 'cow'\nThere are: cat, dog, owl." in said


def test_networks_that_only_predict_or_only_generate_say_so(hpcdl, root):
    code, _, said = hpcdl("generate", "pictures", "-o", "x")
    assert code == 2
    assert "pictures generates nothing: it was trained to classify\nhpcdl predict" in said
    code, _, said = hpcdl("predict", "gan", root / "shot")
    assert code == 2
    assert "gan predicts nothing of examples: it makes new ones\nhpcdl generate" in said
    assert "-o FOLDER says where to put them" in hpcdl("generate", "gan")[2]


def test_music_is_generated_as_midi_and_sound_which_continue_a_prompt(hpcdl, tmp_path):
    words = ("--count", 2, "--seed", 5, "frames=6")
    assert hpcdl("generate", "music", *words, "-o", "a")[0] == 0
    names = sorted(it.name for it in (tmp_path / "a").iterdir())
    assert names == ["00001.mid", "00001.wav", "00002.mid", "00002.wav"]
    assert (tmp_path / "a/00001.wav").read_bytes()[:4] == b"RIFF"
    assert hpcdl("generate", "music", *words, "-o", "b.npz")[0] == 0
    notes = np.load("b.npz")["notes"]
    assert notes.shape == (2, 6, NOTES)
    assert not np.array_equal(*notes)
    assert hpcdl("generate", "music", *words, "--prompt", "a/00001.mid", "-o", "c.npz")[0] == 0
    after = np.load("c.npz")["notes"]
    assert len(after[0]) > 6
    np.testing.assert_array_equal(after[0, :-6], after[1, :-6])
    assert hpcdl("predict", "music", "a", "frames=2")[1].startswith("file,continuation\n00001.mid,")
