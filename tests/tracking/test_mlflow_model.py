"""The MLflow model predicts what the export predicts, from every kind of input."""

import numpy as np
import pytest
import torch
from PIL import Image

from hpc_dl.predictor import load
from hpc_dl.tracking import model
from tests.support import exports

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
OF_PICTURES = {
    "PIL": lambda root: [Image.fromarray(it) for it in PIXELS],
    "a path": lambda root: root / "one.png",
    "paths": lambda root: [str(root / "one.png")] * 2,
    "bytes": lambda root: PIXELS,
    "channels first": lambda root: PIXELS.transpose(0, 3, 1, 2),
    "doubles": lambda root: PIXELS / 255,
    "one": lambda root: PIXELS[0],
    "tensors": lambda root: torch.from_numpy(PIXELS) / 255,
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Both forms of an export, by the name of the architecture."""
    import mlflow

    root, found = tmp_path_factory.mktemp("models"), {}

    def of(name):
        if name not in found:
            export = exports.export(root / f"export-{name}", *exports.MEMBERS[name])
            model.save(export, str(root / name))
            found[name] = load(export), mlflow.pyfunc.load_model(str(root / name))
        return found[name]

    return of


def check_the_same(saved, name, given):
    predictor, through_mlflow = saved(name)
    expected, said = predictor.predict(given), through_mlflow.predict(given)
    assert set(said) == set(expected)
    for output, values in expected.items():
        np.testing.assert_array_equal(said[output], values)


@pytest.mark.parametrize("form", OF_PICTURES)
def test_the_mlflow_model_predicts_images_like_the_export(saved, tmp_path, form):
    Image.fromarray(PIXELS[0]).save(tmp_path / "one.png")
    check_the_same(saved, "cnn of colours", OF_PICTURES[form](tmp_path))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["ffnn of tables", "rnn", "gnn", "vae conditional", "gan"])
def test_the_mlflow_model_predicts_arrays_like_the_export(saved, name, dtype):
    inputs = exports.inputs(*exports.MEMBERS[name])
    given = {key: it.astype(dtype) if it.dtype == np.float32 else it for key, it in inputs.items()}
    check_the_same(saved, name, given if len(given) > 1 else next(iter(given.values())))


def test_the_signature_names_the_outputs(saved):
    outputs = {it.name: it.type for it in saved("rnn")[1].metadata.signature.outputs}
    assert outputs == {
        "probabilities": np.dtype("float32"),
        "label": np.dtype("int64"),
        "class": np.dtype("str"),
    }
