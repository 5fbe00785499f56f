"""A user's arrays in npz and HDF5 files: images, sequences and tables."""

import h5py
import numpy as np
import pytest
import torch

from hpc_dl.data import sources, staged
from hpc_dl.errors import UserError
from hpc_dl.spec.sources import Hdf5, Npz

RNG = np.random.default_rng(0)
LABELS = np.arange(40) % 4


def npz(folder, x, y=LABELS, **options):
    path = folder / "arrays.npz"
    np.savez(path, x=x, y=y)
    return Npz(name="npz", path=str(path), inputs="x", labels="y", **options)


def load(source, folder):
    splits = sources.load(source, folder, folder)
    assert staged.facts(source, folder) == splits.facts
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
    assert (splits.facts.kind, splits.facts.shape, splits.facts.outputs) == (kind, shape, 4)
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
    assert splits.facts.targets == ("y0", "y1")
    assert splits.train.tensors["target"].shape == (32, 2)


def with_nan():
    x = RNG.standard_normal((40, 5))
    x[7, 2] = np.nan
    return x


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (with_nan(), LABELS, r"x: table\[7, 2\] is nan"),
        (RNG.random((40, 8, 8)) * 255, LABELS, "floats have to lie in"),
        (RNG.random((40, 5)), LABELS[:39], "40 examples to train, and 39 labels"),
        (RNG.random((40, 5)), LABELS - 1, "label -1 of example 0"),
        (RNG.random((40, 5)), LABELS / 2, "classes are one integer for each example"),
        (RNG.random(40), LABELS, "which is no kind of example"),
        (RNG.random((40, 5)), np.where(LABELS == 2, 0, LABELS), "no example of '2'"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, x, y, message):
    with pytest.raises(UserError, match=message):
        load(npz(tmp_path, x, y), tmp_path)


def test_an_array_that_is_not_there_is_named_with_those_that_are(tmp_path):
    source = npz(tmp_path, RNG.random((40, 5))).model_copy(update={"labels": "z"})
    with pytest.raises(UserError, match="has no array 'z'") as caught:
        staged.facts(source, tmp_path)
    assert "x, y" in caught.value.hint


def test_a_file_that_is_none_is_named(tmp_path):
    (tmp_path / "arrays.npz").write_text("nothing")
    source = Npz(name="npz", path=str(tmp_path / "arrays.npz"), inputs="x", labels="y")
    with pytest.raises(UserError, match=r"arrays\.npz is no readable npz"):
        staged.facts(source, tmp_path)
