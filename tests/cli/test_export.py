"""`hpcdl export`: a file that predicts what the network predicts, without hpcdl."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from hpc_dl.cli import main
from hpc_dl.planning.plan import Plan
from hpc_dl.predictor import load
from hpc_dl.predictor.formats import comparison
from hpc_dl.predictor.formats.network import Network, longest, made_up, padded
from hpc_dl.run import records
from hpc_dl.run.layout import read_json, write_json
from hpc_dl.zoo import trained
from tests.support import exports
from tests.support.running import QUICK, new_run
from tests.support.typed import use_settings

ALONE = """
import sys, numpy, torch
assert not any(name.startswith("hpc_dl") for name in sys.modules)
module = torch.export.load(sys.argv[1]).module()
found = module(torch.from_numpy(numpy.load(sys.argv[2])))
numpy.savez(sys.argv[3], **{name: it.detach().numpy() for name, it in found.items()})
"""


@pytest.fixture
def exported(tmp_path, monkeypatch):
    """Type `hpcdl export` of an untrained network in an empty folder; return the exit code."""
    use_settings(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)

    def typed(options, facts, *words):
        if not (tmp_path / "net").exists():
            exports.export(tmp_path / "net", options, facts)
        return main(["export", "./net", *words])

    return typed


def test_a_graph_predicts_any_number_of_pictures_without_hpcdl(exported, tmp_path):
    assert exported(*exports.PICTURES["ffnn"], "--format", "torch-export", "-o", "net.pt2") == 0
    images = np.random.default_rng(0).random((7, 3, 32, 32), dtype=np.float32)
    np.save("images.npy", images)
    words = [sys.executable, "-c", ALONE, "net.pt2", "images.npy", "found.npz"]
    bare = {key: it for key, it in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(words, check=True, cwd=tmp_path, env=bare)
    found, expected = np.load("found.npz"), load("net").predict(images)
    for name in ("probabilities", "label"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)
    described = json.loads((tmp_path / "net.pt2.json").read_text())
    (image,) = described["inputs"]
    assert (image["shape"], image["range"]) == (["batch", 3, 32, 32], [0, 1])
    assert described["classes"] == ["cat", "dog", "owl"]
    assert described["comparison"]["largest_difference"] < 1e-4


def test_a_file_of_weights_has_all_of_them(exported, tmp_path, capsys):
    assert exported(*exports.RAW["rnn of a play"], "--format", "safetensors") == 0
    assert "model.safetensors: predicts as model does" in capsys.readouterr().out
    net = trained.load(tmp_path / "net").nets["model"].state_dict()
    found = load_file("model.safetensors")
    assert set(found) == {f"model/{key}" for key in net}
    for key, tensor in net.items():
        np.testing.assert_array_equal(found[f"model/{key}"], tensor.numpy())


def test_test_examples_of_the_run_are_compared_unless_its_data_have_changed(tmp_path, monkeypatch):
    use_settings(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    run = new_run(tmp_path / "runs")
    exports.export(run.export, QUICK["model"], records.load(run.plan, Plan).facts)

    def compared():
        words = ["export", run.id, "--format", "safetensors", "-o", "net.safetensors", "--force"]
        assert main(words) == 0
        return json.loads((tmp_path / "net.safetensors.json").read_text())["comparison"]

    found = compared()
    assert (found["test_examples"], found["made_up"]) == (12, 4)
    begun = read_json(run.fingerprint)
    write_json(run.fingerprint, {**begun, "parts": dict.fromkeys(begun["parts"], "other")})
    found = compared()
    assert (found["test_examples"], found["made_up"]) == (0, 4)
    assert "the data of quick-1 have changed" in found["why_no_test_examples"]


def test_without_the_extra_onnx_is_refused_with_how_to_install_it(
    exported, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert exported(*exports.OTHERS["ffnn of tables"], "--format", "onnx", "-o", "net.onnx") == 2
    assert "pip install 'hpcdl[onnx]'" in capsys.readouterr().err
    assert not [it.name for it in tmp_path.iterdir() if "onnx" in it.name]


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["cnn", "lstm of recordings", "gnn of graphs"])
def test_onnx_predicts_any_number_of_examples_of_the_lengths_that_it_takes(
    exported, tmp_path, name
):
    runtime = pytest.importorskip("onnxruntime", reason="pip install 'hpcdl[onnx]'")
    options, facts = (exports.MEMBERS | exports.RAW)[name]
    assert exported(options, facts, "--format", "onnx", "-o", "net.onnx") == 0
    assert {it.name for it in tmp_path.glob("*net.onnx*")} == {"net.onnx", "net.onnx.json"}
    session = runtime.InferenceSession("net.onnx", providers=["CPUExecutionProvider"])
    network = trained.load(tmp_path / "net")
    described = json.loads((tmp_path / "net.onnx.json").read_text())["inputs"]
    shapes = {it["name"]: it["shape"] for it in described}
    for count, part in ((5, 2), (2, 3)):
        inputs = padded(made_up(network, count, longest(network) // part), shapes)
        with torch.no_grad():
            expected = Network(network)(*inputs)
        given = zip(session.get_inputs(), inputs, strict=True)
        found = session.run([*expected], {it.name: tensor.numpy() for it, tensor in given})
        for values, tensor in zip(found, expected.values(), strict=True):
            np.testing.assert_allclose(values, tensor, rtol=1e-4, atol=1e-6)


@pytest.mark.nightly
def test_what_onnx_does_not_express_is_refused_with_the_operation(tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnxruntime", reason="pip install 'hpcdl[onnx]'")
    use_settings(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(
        "import torch\n\n\nclass Bessel(torch.nn.Module):\n"
        "    def __init__(self, outputs):\n        super().__init__()\n"
        "        self.last = torch.nn.Linear(5, outputs)\n\n"
        "    def forward(self, table):\n"
        "        return self.last(torch.special.modified_bessel_i0(table.float()))\n"
    )
    exports.export(tmp_path / "net", {"name": "net.py:Bessel"}, exports.TABLE, tmp_path)
    (tmp_path / "net" / "code").mkdir()
    (tmp_path / "net" / "code" / "net.py").write_text((tmp_path / "net.py").read_text())
    assert main(["export", "./net", "--format", "onnx", "-o", "net.onnx"]) == 1
    said = capsys.readouterr().err
    assert "ONNX does not express this network" in said
    assert "bessel" in said
    assert not [it.name for it in tmp_path.iterdir() if "onnx" in it.name]


def test_a_network_that_writes_step_by_step_is_no_graph(exported, tmp_path, capsys):
    assert exported(*exports.RAW["rnn of a play"], "--format", "torch-export") == 1
    said = capsys.readouterr().err
    assert "writes its predictions step by step" in said
    assert "--format safetensors" in said
    assert [it.name for it in tmp_path.iterdir() if it.name.startswith((".", "model"))] == []


def test_a_file_that_differs_is_not_kept_and_replaces_none(exported, tmp_path, capsys, monkeypatch):
    (tmp_path / "net.safetensors").write_text("of before")
    words = ("--format", "safetensors", "-o", "net.safetensors")
    assert exported(*exports.OTHERS["ffnn of tables"], *words) == 2
    assert "net.safetensors is there already" in capsys.readouterr().err
    monkeypatch.setattr(
        "hpc_dl.zoo.trained.flattened",
        lambda nets: {
            f"{name}/{key}": it + 0.01
            for name, net in nets.items()
            for key, it in net.state_dict().items()
        },
    )
    assert exported(*exports.OTHERS["ffnn of tables"], *words, "--force") == 1
    assert "target differs by" in capsys.readouterr().err
    assert (tmp_path / "net.safetensors").read_text() == "of before"


def test_differences_of_numbers_and_of_labels_are_found():
    def of(**outputs):
        return lambda _: {name: torch.tensor(it) for name, it in outputs.items()}

    assert comparison.compare(of(x=[100.0]), of(x=[100.001]), [[]]) == pytest.approx(0.001, rel=0.1)
    for ours, theirs in (
        (of(x=[1.0]), of(x=[1.01])),
        (of(x=[1.0]), of(x=[float("nan")])),
        (of(x=[1]), of(x=[2])),
        (of(x=[1.0]), of(x=[1.0, 1.0])),
        (of(x=[1.0]), of(y=[1.0])),
    ):
        with pytest.raises(comparison.UserError, match="x "):
            comparison.compare(ours, theirs, [[]])
