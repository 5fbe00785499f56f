"""A user's arrays in npz and HDF5 files: images, sequences and tables."""

import h5py
import numpy as np
import pytest
import torch

from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.arrays import Hdf5, Npz
from tests.support import reading

RNG = np.random.default_rng(0)
LABELS = np.arange(40) % 4


def npz(folder, x, y=LABELS, **options):
    path = folder / "arrays.npz"
    np.savez(path, x=x, y=y)
    return Npz(name="npz", path=str(path), inputs="x", labels="y", **options)


def load(source, folder):
    splits = reading.load(source, folder, folder)
    assert reading.describe(source, folder) == splits.facts
    return splits


@pytest.mark.parametrize(
    ("x", "options", "kind", "shape"),
    [
        (RNG.integers(0, 255, (40, 8, 6), dtype=np.uint8), {}, "image", (1, 8, 6)),
        (RNG.random((40, 3, 8, 6), dtype=np.float32), {}, "image", (3, 8, 6)),
        (RNG.random((40, 8, 6, 3)), {}, "image", (3, 8, 6)),
        (RNG.standard_normal((40, 8, 6)), {"kind": "sequence"}, "sequence", (8, 6)),
        (RNG.standard_normal((40, 5)), {}, "table", (5,)),
    ],
)
def test_the_axes_say_what_it_is_unless_the_spec_does(tmp_path, x, options, kind, shape):
    splits = load(npz(tmp_path, x, **options), tmp_path)
    assert (splits.facts.modality, splits.facts.shape, splits.facts.outputs) == (kind, shape, 4)
    batch = splits.train.batch(torch.arange(3))
    assert batch[kind].shape == (3, *shape)
    assert batch[kind].dtype == torch.float32
    number = int(batch["index"][0])
    expected = x[number] / 255 if x.dtype == np.uint8 else x[number]
    if x.shape[-1] == 3:
        expected = np.moveaxis(expected, -1, 0)
    torch.testing.assert_close(
        batch[kind][0].flatten(), torch.from_numpy(expected).float().flatten()
    )


def test_hdf5_gives_the_same_with_a_test_split_of_its_own(tmp_path):
    x = RNG.standard_normal((40, 5))
    with h5py.File(tmp_path / "arrays.h5", "w") as file:
        file["x"], file["y"], file["more"], file["said"] = x, LABELS, x[:6], LABELS[:6]
    source = Hdf5(
        name="hdf5",
        path=str(tmp_path / "arrays.h5"),
        inputs="x",
        labels="y",
        test_inputs="more",
        test_labels="said",
    )
    splits = load(source, tmp_path)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (36, 4, 6)
    torch.testing.assert_close(splits.test.tensors["table"], torch.from_numpy(x[:6]).float())


def test_several_numbers_are_targets(tmp_path):
    y = RNG.standard_normal((40, 2))
    splits = load(npz(tmp_path, RNG.standard_normal((40, 5)), y, task="regress"), tmp_path)
    assert splits.facts.target_names == ("y0", "y1")
    assert splits.train.tensors["target"].shape == (32, 2)


def test_an_array_that_is_not_there_is_named_with_those_that_are(tmp_path):
    source = npz(tmp_path, RNG.random((40, 5))).model_copy(update={"labels": "z"})
    with pytest.raises(UserError, match="has no array 'z'") as caught:
        reading.describe(source, tmp_path)
    assert "x, y" in caught.value.hint


WORDS = np.array(["cat", "dog", "ant", "bee"])


@pytest.mark.parametrize(
    ("y", "classes", "labels", "note"),
    [
        (LABELS.astype(np.uint16), "0123", LABELS, None),
        (LABELS[:, None], "0123", LABELS, None),
        (LABELS.astype(np.float32), "0123", LABELS, "labels are whole numbers as float32"),
        (np.eye(4)[LABELS], "0123", LABELS, "labels are rows with a single 1, whose"),
        (LABELS % 2 == 1, ("False", "True"), LABELS % 2, "labels are True and False, as 1 and 0"),
        (
            WORDS[LABELS],
            ("ant", "bee", "cat", "dog"),
            np.array([2, 3, 0, 1])[LABELS],
            "labels are words, and classes in alphabetical order",
        ),
        (WORDS[LABELS].astype("S"), ("ant", "bee", "cat", "dog"), None, "labels are words"),
    ],
)
def test_labels_that_are_clear_become_classes_and_the_plan_says_so(
    tmp_path, y, classes, labels, note
):
    x = np.arange(40)[:, None] + np.zeros((40, 3))
    splits = load(npz(tmp_path, x, y), tmp_path)
    assert splits.facts.classes == tuple(classes)
    notes = " ".join(splits.facts.notes)
    assert notes.startswith(note) if note else not notes
    if labels is not None:
        rows = splits.train.tensors["table"][:, 0].long()
        assert splits.train.tensors["label"].tolist() == labels[rows.numpy()].tolist()


def test_names_of_labels_take_the_place_of_notes_on_their_numbers(tmp_path):
    source = npz(tmp_path, RNG.random((40, 5)), LABELS + 1, class_names=["a", "b", "c", "d"])
    facts = reading.describe(source, tmp_path)
    assert facts.classes == ("a", "b", "c", "d")
    assert facts.notes == ("labels: 1 is 'a', 2 is 'b', 3 is 'c', 4 is 'd'",)


def test_words_in_hdf5_are_classes(tmp_path):
    with h5py.File(tmp_path / "arrays.h5", "w") as file:
        file["data/x"] = RNG.standard_normal((40, 5))
        file["data/y"] = WORDS[LABELS].astype(object)
        file["data/weights"] = np.ones(40)
    source = Hdf5(name="hdf5", path=str(tmp_path / "arrays.h5"), inputs="data/x", labels="data/y")
    splits = load(source, tmp_path)
    assert splits.facts.classes == ("ant", "bee", "cat", "dog")
    assert splits.facts.notes[0].startswith("arrays that are not read: data/weights;")
    with pytest.raises(UserError, match=r"'data' in .* is a group, not an array") as refused:
        reading.describe(source.model_copy(update={"inputs": "data"}), tmp_path)
    assert "data/x" in refused.value.hint


def file_of(folder, *, options=None, **arrays):
    path = folder / "arrays.npz"
    np.savez(path, **arrays)
    return Npz(name="npz", path=str(path), **(options or {}))


def with_test(folder, y=LABELS, more=LABELS[:6], x=None, **options):
    named = {"test_inputs": "more", "test_labels": "known", **options}
    inputs = RNG.standard_normal((40, 5)) if x is None else x
    return file_of(folder, options=named, x=inputs, y=y, more=inputs[:6], known=more)


@pytest.mark.parametrize("half, other", [("inputs", "labels"), ("labels", "inputs")])
def test_half_a_test_is_refused(tmp_path, half, other):
    source = with_test(tmp_path, **{f"test_{other}": None})
    for ask in (reading.describe, load):
        with pytest.raises(UserError, match=f"data.test_{half}: there is no data.test_{other}"):
            ask(source, tmp_path)


def test_what_differs_between_training_and_test_is_refused(tmp_path):
    for options, message in [
        ({"test_inputs": "x"}, "array 'x' is named for two different things"),
        ({"more": LABELS[:6] / 2}, "data.test_labels: 'known': 3 of 6 labels are no"),
        ({"more": LABELS[:6] + 1}, "no example of '4' to train on"),
        ({"more": WORDS[LABELS[:6]]}, "words in one split, and numbers in another"),
        ({"y": np.array(["a", "b"] * 20), "more": WORDS[:1].repeat(6)}, "no example of 'cat'"),
        ({"y": RNG.random((40, 2)), "more": RNG.random(6), "task": "regress"}, "1 and 2 targets"),
    ]:
        with pytest.raises(UserError, match=message):
            reading.describe(with_test(tmp_path, **options), tmp_path)


def test_a_class_that_the_test_lacks_is_none_the_less_one(tmp_path):
    facts = reading.describe(with_test(tmp_path, more=LABELS[:1].repeat(6)), tmp_path)
    assert (facts.classes, facts.test) == (tuple("0123"), 6)


def test_arrays_that_are_not_read_are_named(tmp_path):
    x = RNG.standard_normal((40, 5))
    source = file_of(tmp_path, x=x, y=LABELS, x_test=x[:5], y_test=LABELS[:5])
    assert load(source, tmp_path).facts.notes == (
        "arrays that are not read: x_test, y_test; data.test_inputs and data.test_labels name a "
        "test",
    )


@pytest.mark.parametrize(
    ("x", "shape", "note"),
    [
        (RNG.random((40, 8, 6, 3)), (3, 8, 6), "8 x 6 pixels with 3 channels, which come last"),
        (RNG.random((40, 3, 8, 6)), (3, 8, 6), None),
        (RNG.random((40, 2, 8, 8)), (2, 8, 8), "2 channels of 8 x 8 pixels"),
        (RNG.random((40, 30, 9, 9)), (30, 9, 9), "30 channels of 9 x 9 pixels"),
        (RNG.random((40, 3, 8, 4)), (3, 8, 4), "3 channels of 8 x 4 pixels"),
        (RNG.random((40, 8, 6)), (1, 8, 6), "grey images of 8 x 6 pixels; data.kind: sequence"),
        (RNG.integers(0, 255, (40, 8, 6), np.uint8), (1, 8, 6), None),
        (RNG.random((40, 8, 6)) > 0.5, (1, 8, 6), "grey images"),
    ],
)
def test_how_images_are_laid_out_is_told_in_the_plan(tmp_path, x, shape, note):
    splits = load(npz(tmp_path, x), tmp_path)
    assert splits.facts.shape == shape
    notes = " ".join(splits.facts.notes)
    assert note in notes if note else not notes


def test_which_axis_of_sequences_is_time_is_told_in_the_plan(tmp_path):
    facts = reading.describe(npz(tmp_path, RNG.random((40, 8, 1)), kind="sequence"), tmp_path)
    assert facts.notes == ("'x' is read as 8 steps in time of 1 number each",)


def test_numbers_of_other_machines_are_read(tmp_path):
    x = RNG.standard_normal((40, 5))
    splits = load(npz(tmp_path, x.astype(">f4"), LABELS.astype(">i2")), tmp_path)
    rows = splits.train.index.numpy()
    torch.testing.assert_close(splits.train.tensors["table"], torch.from_numpy(x[rows]).float())
    assert splits.train.tensors["label"].tolist() == LABELS[rows].tolist()


def test_targets_that_never_change_are_refused_or_noted(tmp_path):
    y = np.stack([np.full(40, 3.0), RNG.standard_normal(40)], axis=1)
    found = reading.describe(npz(tmp_path, RNG.random((40, 5)), y, task="regress"), tmp_path)
    assert found.notes == ("target 'y0' is the same in all training examples",)
    with pytest.raises(UserError, match="'y' is 3 in all training examples: there is nothing to"):
        reading.describe(npz(tmp_path, RNG.random((40, 5)), y[:, 0], task="regress"), tmp_path)


def test_the_array_of_groups_is_one_that_is_read(tmp_path):
    x, patients = RNG.standard_normal((40, 5)), np.arange(40) // 4
    source = file_of(tmp_path, x=x, y=LABELS, patient=patients, options={"groups": "patient"})
    assert load(source, tmp_path).facts.notes == ()
