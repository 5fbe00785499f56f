"""A trained classifier evaluates generated images: Fréchet distance, and missing classes."""

import json
import os
import re
from dataclasses import asdict

import pytest
import torch
from torch.distributions import MultivariateNormal

from hpc_dl import predictor
from hpc_dl.errors import UserError
from hpc_dl.jobspec.architectures.ffnn import FeedForward as Options
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.image_models import Generative
from hpc_dl.tasks.metrics import frechet_distance, moments
from hpc_dl.zoo.architectures.ffnn import FeedForward
from hpc_dl.zoo.contract import OfSums
from hpc_dl.zoo.evaluation_classifier import EvaluationClassifier
from tests.support.measured import together

FACTS = DataFacts.of("image", "classify", (1, 8, 8), ("a", "b", "c"), 10, 2, 2)
LARGE = DataFacts.of("image", "classify", (1, 28, 28), ("a", "b", "c"), 10, 2, 2)


def export(folder, facts=FACTS, outputs=("probabilities", "label")):
    """A classifier as a run exports it, and its network."""
    torch.manual_seed(0)
    options = Options(name="ffnn", hidden=[5])
    nets = FeedForward(options, facts).networks()
    weights = {name: net.state_dict() for name, net in nets.items()}
    torch.save(weights, folder / "weights.pt")
    said = {"model": options.model_dump(), "facts": asdict(facts), "inputs": {}}
    (folder / "model.json").write_text(json.dumps({**said, "outputs": dict.fromkeys(outputs)}))
    return nets["model"]


def test_features_are_the_inputs_of_the_last_dense_layer(tmp_path):
    network, image = export(tmp_path), torch.rand(7, 1, 8, 8)
    features, label = EvaluationClassifier(str(tmp_path)).classify(image)
    torch.testing.assert_close(features, network[:-1](image))
    assert torch.equal(label, network(image).argmax(dim=1))


def described(change):
    """Change what `model.json` says."""
    return lambda folder: (folder / "model.json").write_text(
        json.dumps(json.loads((folder / "model.json").read_text()) | change)
    )


@pytest.mark.parametrize(
    ("harm", "file"),
    [
        (lambda folder: (folder / "model.json").write_bytes(b""), "model.json"),
        (lambda folder: (folder / "model.json").write_bytes(bytes(100)), "model.json"),
        (lambda folder: (folder / "model.json").write_text("[]"), "model.json"),
        (lambda folder: (folder / "model.json").write_text('{"model": {}}'), "model.json"),
        (described({"facts": None}), "model.json"),
        (described({"inputs": {"image": {"shape": "any", "dtype": "float32"}}}), "model.json"),
        (described({"inputs": {"image": {"shape": [-1], "dtype": "?"}}}), "model.json"),
        (described({"model": {"name": "ffnn", "hidden": [6]}}), "weights.pt"),
        (lambda folder: (folder / "weights.pt").unlink(), "weights.safetensors"),
        (
            lambda folder: (folder / "weights.safetensors").write_bytes(b"junk"),
            "weights.safetensors",
        ),
        (lambda folder: (folder / "weights.pt").write_bytes(b""), "weights.pt"),
        (lambda folder: (folder / "weights.pt").write_bytes(b"junk" * 99), "weights.pt"),
        (lambda folder: os.truncate(folder / "weights.pt", 300), "weights.pt"),
        (lambda folder: torch.save([1], folder / "weights.pt"), "weights.pt"),
        (lambda folder: torch.save({"model": None}, folder / "weights.pt"), "weights.pt"),
    ],
)
def test_a_damaged_export_is_named(tmp_path, harm, file):
    export(tmp_path)
    harm(tmp_path)
    with pytest.raises(UserError, match=rf"{tmp_path / file} is damaged: \S"):
        predictor.load(tmp_path)


def test_the_distance_of_two_gaussians_is_that_of_the_closed_form():
    torch.manual_seed(0)
    sizes, others = torch.tensor([1.0, 4.0, 0.25]), torch.tensor([2.25, 1.0, 0.25])
    mean = torch.tensor([3.0, 0.0, -1.0])
    first = MultivariateNormal(torch.zeros(3), torch.diag(sizes)).sample((100_000,))
    second = MultivariateNormal(mean, torch.diag(others)).sample((100_000,))
    parts = [
        {"frechet": OfSums(frechet_distance, (*moments(ours), *moments(theirs)))}
        for ours, theirs in zip(first.chunk(7), second.chunk(7), strict=True)
    ]
    expected = mean.square().sum() + (sizes.sqrt() - others.sqrt()).square().sum()
    assert together(*parts)["frechet"] == pytest.approx(float(expected), rel=0.01)


def test_the_same_images_have_distance_zero_and_noise_is_far_away(tmp_path):
    export(tmp_path)
    classifier = EvaluationClassifier(str(tmp_path))
    near, far = torch.rand(400, 1, 8, 8), torch.rand(400, 1, 8, 8) * 3
    assert classifier.distance(near.split(100), near.split(50)) == pytest.approx(0, abs=1e-6)
    assert (
        classifier.distance([near], [torch.rand(400, 1, 8, 8)])
        < classifier.distance([near], [far]) / 10
    )


def test_the_rarest_class_is_counted_over_all_batches(tmp_path):
    export(tmp_path)
    classifier, images = EvaluationClassifier(str(tmp_path)), torch.rand(10, 1, 8, 8)
    parts = [classifier.measure(it, it) for it in (images[:3], images[3:])]
    counts = classifier.classify(images)[1].bincount(minlength=3)
    assert together(*parts)["rarest_class"] == pytest.approx(int(counts.min()) / 10)


def test_a_folder_without_a_trained_network_is_named(tmp_path):
    with pytest.raises(UserError, match="holds no trained network"):
        EvaluationClassifier(str(tmp_path))


@pytest.mark.parametrize(
    "facts, fault",
    [
        (FACTS, None),
        (LARGE, r"takes images of \[1, 8, 8\], not \[1, 28, 28\]"),
    ],
)
def test_a_classifier_of_images_of_another_size_is_refused(tmp_path, facts, fault):
    export(tmp_path)
    check_refusal(str(tmp_path), facts, fault)


def test_what_is_no_export_of_a_classifier_is_refused(tmp_path):
    check_refusal(str(tmp_path), FACTS, "holds no trained network")
    export(tmp_path, outputs=["reconstruction"])
    check_refusal(str(tmp_path), FACTS, "does not classify images")


def check_refusal(classifier, facts, fault):
    found = Generative(name="gan", classifier=classifier).find_file_conflict(facts)
    if fault is None:
        assert found is None
    else:
        assert found.option == "classifier"
        assert re.search(fault, found.message)
