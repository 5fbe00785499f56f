"""What a predictor takes: every input of every architecture is checked, and never reshaped."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from hpc_dl.errors import UserError
from hpc_dl.jobspec.architectures import ZOO
from hpc_dl.predictor import CHUNK, load
from tests.support import exports
from tests.support.exports import MEMBERS


@pytest.fixture(scope="module")
def predictors(tmp_path_factory):
    root = tmp_path_factory.mktemp("exports")
    return {
        name: load(exports.export(root / name.replace(" ", "-"), *member))
        for name, member in MEMBERS.items()
    }


INPUTS = {name: exports.inputs(*member) for name, member in MEMBERS.items()}
EACH = [(name, given) for name, inputs in INPUTS.items() for given in inputs]


def test_every_architecture_is_among_them():
    assert {options["name"].partition(":")[0] for options, _ in MEMBERS.values()} == set(ZOO)


def with_value(array, value):
    changed = array.astype(np.result_type(array.dtype, type(value)), copy=True)
    changed.flat[changed.size - 1] = value
    return changed


def one_more(array):
    """One more along the last axis but that of examples, or edges."""
    axis = {1: 0, 2: 0 if len(array) == 2 else 1}.get(array.ndim, 1)
    return np.concatenate([array, array.take([-1], axis)], axis)


HARMS = {
    "no axes": lambda it: it.flat[0],
    "an axis too many": lambda it: it[None, None],
    "an axis too few": lambda it: it.ravel()[:3] if it.ndim > 1 else it[0],
    "a size too many": one_more,
    "nothing": lambda it: it[:0],
    "not a number": lambda it: with_value(it, np.nan),
    "infinite": lambda it: with_value(it, -np.inf),
    "too large": lambda it: with_value(it, 1e300),
    "complex": lambda it: it.astype(complex),
    "words": lambda it: it.astype(str),
    "objects": lambda it: it.astype(object),
    "masked": lambda it: np.ma.MaskedArray(it, mask=np.zeros(it.shape)),
    "sparse": lambda it: torch.from_numpy(it).to_sparse(),
    "none": lambda it: None,
    "ragged": lambda it: [[1, 2], [3]],
}


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize(("member", "name"), EACH, ids=[f"{m}-{n}" for m, n in EACH])
def test_what_does_not_fit_is_refused_by_name(predictors, member, name, harm):
    given = dict(INPUTS[member])
    given[name] = HARMS[harm](given[name])
    with pytest.raises(UserError, match=rf"^{name}\b|of as many examples each, not .*{name}"):
        predictors[member].predict(given)


@pytest.mark.parametrize("member", MEMBERS)
def test_one_example_at_a_time_gives_what_all_give(predictors, member):
    given, predictor = INPUTS[member], predictors[member]
    whole = predictor.predict(given)
    if "node" in given:
        return
    for number in range(4):
        for alone in ({k: v[number] for k, v in given.items()}, _of_lists(given, number)):
            one = predictor.predict(alone)
            for name, values in one.items():
                assert len(values) == 1
                if values.dtype.kind == "f":
                    np.testing.assert_allclose(values[0], whole[name][number], 1e-4, 1e-4)
                else:
                    assert values[0] == whole[name][number]


def _of_lists(given, number):
    return {k: v[number : number + 1].tolist() for k, v in given.items()}


@pytest.mark.parametrize("member", MEMBERS)
def test_tensors_and_other_dtypes_are_accepted(predictors, member):
    given, predictor = INPUTS[member], predictors[member]
    expected = predictor.predict(given)
    tensors = {k: torch.from_numpy(v) for k, v in given.items()}
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            tensors[name] = tensor.double().requires_grad_()
        else:
            tensors[name] = tensor.to(torch.int32)
    for name, values in predictor.predict(tensors).items():
        np.testing.assert_array_equal(values, expected[name])
    rough = {k: v.bfloat16() if v.is_floating_point() else v for k, v in tensors.items()}
    for name, values in predictor.predict(rough).items():
        assert values.shape == expected[name].shape


@pytest.mark.parametrize(
    ("member", "change", "message"),
    [
        ("gnn", {"edge": INPUTS["gnn"]["edge"].T}, r"edge is \(6, 2\), but has to be \(2, N\)"),
        ("gnn", {"edge": np.array([[0, 1], [1, 6]])}, "edge has the number 6, but there are 6"),
        ("gnn", {"edge": np.array([[0, -1], [1, 0]])}, "edge has the number -1"),
        ("gnn", {"edge": np.array([[0.0, 1.0], [1.0, 0.0]])}, "edge is float64, but .* integers"),
        ("gnn", {"edge": np.eye(2, dtype=bool)}, "edge is bool, but has to be integers"),
        ("gnn of graphs", {"edge": np.array([[0, 1], [1, 2]])}, "node 1 to node 2, .* 0 and 1"),
        ("gnn of graphs", {"graph": np.zeros(5, int)}, "graph is of 5 nodes, but node of 6"),
        ("gnn of graphs", {"graph": np.array([0, 0, 2, 2, 3, 3])}, "graph 1 has no node"),
        ("gnn of graphs", {"graph": np.array([0, 0, -1, 0, 0, 0])}, "graph has the number -1"),
        ("vae conditional", {"label": np.arange(4)}, r"label\[3\] is 3, but .* from 0 to 2"),
        ("vae conditional", {"label": np.arange(4) - 1}, r"label\[0\] is -1"),
        ("vae conditional", {"label": np.zeros(4)}, "label is float64, but .* integers"),
        ("vae conditional", {"label": np.zeros(3, int)}, "not 4 of image, 3 of label"),
        ("gan", {"code": np.full((4, 4), 255)}, r"code\[0, 0\] is 255, but .* from -10 to 10"),
        ("diffusion", {"noise": np.full((2, 1, 8, 8), 99)}, "noise.* from -10 to 10"),
        ("ffnn of tables", {"table": np.zeros((5, 4))}, r"table is \(5, 4\), but .* \(N, 5\)"),
        ("rnn", {"sequence": np.zeros((3, 2, 7))}, r"\(3, 2, 7\), but has to be \(N, 7, 2\)"),
        ("rnn", {"sequence": [[1e39] * 2] * 7}, r"sequence\[0, 0, 0\] is 1e\+39, which float32"),
        ("rnn", {"sequence": [torch.zeros(7, 2), torch.zeros(6, 2)]}, "different shapes"),
    ],
)
def test_the_message_names_what_is_wrong(predictors, member, change, message):
    with pytest.raises(UserError, match=message):
        predictors[member].predict({**INPUTS[member], **change})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "the network takes image, label, but there is no image and no label"),
        (
            {"image": np.zeros((1, 8, 8)), "labels": [0]},
            "there is no label and an unknown 'labels'",
        ),
        (np.zeros((1, 8, 8)), "the network takes image, label, but was given one thing"),
    ],
)
def test_missing_and_unknown_names_are_named(predictors, given, message):
    with pytest.raises(UserError, match=message):
        predictors["vae conditional"].predict(given)


def test_many_examples_are_predicted_in_order(predictors):
    rows = np.random.default_rng(0).random((CHUNK + 3, 5))
    predictor = predictors["ffnn of tables"]
    said = predictor.predict(rows)["target"]
    ends = predictor.predict(rows[[0, CHUNK - 1, CHUNK, CHUNK + 2]])["target"]
    np.testing.assert_allclose(said[[0, CHUNK - 1, CHUNK, CHUNK + 2]], ends, 1e-5)


def test_booleans_and_integers_are_numbers(predictors):
    rows = np.array([[0, 1, 1, 0, 1]])
    expected = predictors["ffnn of tables"].predict(rows.astype(float))["target"]
    for given in (rows, rows.astype(bool), rows.astype(np.uint8), rows[0], rows.tolist()):
        np.testing.assert_array_equal(
            predictors["ffnn of tables"].predict(given)["target"], expected
        )


def test_arrays_of_any_memory_layout_are_accepted_and_not_changed(predictors):
    rows = INPUTS["ffnn of tables"]["table"]
    expected = predictors["ffnn of tables"].predict(rows)["target"]
    kept = np.broadcast_to(rows, rows.shape)  # which cannot be written
    for given in (kept, rows.astype(">f8"), np.asfortranarray(rows), rows[::-1].copy()[::-1]):
        np.testing.assert_array_equal(
            predictors["ffnn of tables"].predict(given)["target"], expected
        )


def test_a_picture_is_accepted_beside_other_inputs(predictors):
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    expected = predictors["vae conditional"].predict({"image": pixels, "label": np.array([2])})
    said = predictors["vae conditional"].predict({"image": Image.fromarray(pixels), "label": 2})
    np.testing.assert_array_equal(said["mean"], expected["mean"])


def test_a_graph_may_have_no_edges(predictors):
    node = INPUTS["gnn"]["node"]
    said = predictors["gnn"].predict({"node": node, "edge": np.zeros((2, 0))})
    assert said["label"].shape == (6,)


def test_edges_need_both_directions_if_those_of_the_training_had_them(predictors, tmp_path):
    options, facts = MEMBERS["gnn"]
    undirected = load(exports.export(tmp_path / "gnn", options, replace(facts, undirected=True)))
    one_way = {"node": INPUTS["gnn"]["node"], "edge": np.array([[0, 2, 1], [2, 0, 5]])}
    assert predictors["gnn"].predict(one_way)["label"].shape == (6,)
    with pytest.raises(UserError, match="from node 1 to node 5, but none back"):
        undirected.predict(one_way)
    both = np.hstack([one_way["edge"], one_way["edge"][::-1]])
    assert undirected.predict({**one_way, "edge": both})["label"].shape == (6,)


def test_noisy_pictures_may_be_outside_0_to_1_for_a_denoiser(tmp_path):
    options = {"name": "autoencoder", "use": "denoise", "noise_level": 0.5, **exports.SMALL}
    predictor = load(exports.export(tmp_path / "export", options, exports.GREY))
    noisy = np.random.default_rng(0).normal(0.5, 0.5, (4, 1, 8, 8))
    assert predictor.predict(noisy)["error"].shape == (4,)
    with pytest.raises(UserError, match="has to be from -5 to 6"):
        predictor.predict(noisy * 255)


def test_classes_come_back_by_name(predictors):
    for member in ("ffnn", "rnn", "gnn", "gnn of graphs"):
        said, names = predictors[member].predict(INPUTS[member]), MEMBERS[member][1].classes
        assert said["class"].tolist() == [names[number] for number in said["label"]]
    assert "class" not in predictors["vae"].predict(INPUTS["vae"])


def test_options_of_predictions_are_refused_where_there_are_none(predictors):
    name = next(iter(INPUTS))
    with pytest.raises(UserError, match="these predictions have no options, but got temperature"):
        predictors[name].predict(INPUTS[name], {"temperature": 0.5})
