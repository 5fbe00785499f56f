"""The autoencoder's figures are what the field says they are, and it does its three uses."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from hpc_dl.jobspec.architectures.autoencoder import Autoencoder as Options
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.zoo.architectures.autoencoder import Autoencoder
from hpc_dl.zoo.contract import take
from hpc_dl.zoo.layers.dense import Residual
from hpc_dl.zoo.layers.noise import NOISES
from tests.support.measured import together

USES = ("compress", "denoise", "anomaly")
DIGITS = DataFacts.of(
    "image", "classify", (1, 8, 8), tuple("0123456789"), 160, 18, 1619, include_classes=("3", "5")
)


def make(**options):
    torch.manual_seed(0)
    options = {"latent_dim": 3, "hidden": [16], "channels": [4], **options}
    architecture = Autoencoder(Options(name="autoencoder", **options), DIGITS)
    return architecture, architecture.networks()


def images(count):
    generator = torch.Generator().manual_seed(1)
    return {
        "image": torch.rand(count, 1, 8, 8, generator=generator),
        "label": torch.arange(count) % 10,
    }


def measured(measure, nets, *batches):
    """What the metrics come to over batches."""
    with torch.no_grad():
        found = together(*(measure(nets, batch) for batch in batches))
    return {name: value for name, value in found.items() if name != "loss"}


@pytest.mark.parametrize("network", ["dense", "conv"])
@pytest.mark.parametrize("residual", [False, True])
def test_hidden_layers_are_normed_and_have_shortcuts_as_asked(network: str, residual: bool):
    """The last convolution gives the pixels, as the last dense layer gives the code."""
    facts = DataFacts.of("image", "none", (1, 7, 5), (), 160, 18, 18)
    it = Options(
        name="autoencoder",
        network=network,
        channels=[8, 16],
        hidden=[16, 12],
        norm="group",
        residual=residual,
    )
    made = Autoencoder(it, facts).networks()["model"]
    layers = 4 if network == "dense" else 4 + 2 + 2
    assert sum(isinstance(it, nn.GroupNorm) for it in made.modules()) == layers
    shortcuts = sum(isinstance(it, Residual) for it in made.modules())
    assert shortcuts == residual * (layers if network == "dense" else layers - 1)
    code, decoded = made(torch.rand(2, 1, 7, 5))
    assert decoded.shape == (2, 1, 7, 5)
    assert code.shape == (2, 32)


@pytest.mark.parametrize(
    ("noise", "level", "decibels"),
    [
        ("gaussian", 0.5, -20 * math.log10(0.5)),
        ("gaussian", 0.1, 20.0),
        # of a number that is uniform in [0, 1], E x² = E (1 - x)² = 1/3
        ("salt_and_pepper", 0.3, -10 * math.log10(0.3 / 3)),
        ("mask", 0.3, -10 * math.log10(0.3 / 3)),
    ],
)
def test_the_psnr_of_noise_is_known(noise, level, decibels):
    architecture, nets = make(use="denoise", noise=noise, noise_level=level)
    found = measured(architecture.measure, nets, images(1000), images(1000))
    assert found["psnr_noisy"] == pytest.approx(decibels, abs=0.1)


def test_the_gain_is_the_difference_of_the_ratios_however_the_split_is_cut():
    architecture, nets = make(use="denoise")
    batches = [take(images(70), chosen) for chosen in (slice(0, 64), slice(64, 70))]
    found = measured(architecture.measure, nets, *batches)
    assert found["psnr_gain"] == pytest.approx(found["psnr"] - found["psnr_noisy"], abs=1e-4)


def test_the_psnr_of_a_split_is_that_of_its_mean_squared_error():
    architecture, nets = make()
    whole = images(70)
    batches = [take(whole, chosen) for chosen in (slice(0, 64), slice(64, 70))]
    with torch.no_grad():
        error = ((nets["model"](whole["image"])[1] - whole["image"]) ** 2).mean()
        loss = architecture.loss(nets, whole, "model")
    found = measured(architecture.measure, nets, *batches)
    assert found["psnr"] == pytest.approx(-10 * math.log10(error), abs=1e-4)
    torch.testing.assert_close(loss.total / loss.count, error)


def test_masks_and_salt_and_pepper_leave_the_other_pixels_alone():
    image = 0.2 + 0.6 * torch.rand(50, 1, 8, 8)
    for noise, values in (("mask", {0.0}), ("salt_and_pepper", {0.0, 1.0})):
        noisy = NOISES[noise](image, 0.25)
        changed = noisy != image
        assert changed.float().mean() == pytest.approx(0.25, abs=0.03)
        assert set(noisy[changed].tolist()) == values


def test_the_auroc_of_anomalies_is_scikit_learns():
    architecture, nets = make(use="anomaly")
    batches = [images(60), images(31)]
    found = measured(architecture.test, nets, *batches)
    image, label = (torch.cat([batch[name] for batch in batches]) for name in ("image", "label"))
    score = architecture.predict(nets, {"image": image})["error"].detach()
    anomalous = [int(it) not in (3, 5) for it in label]
    assert found["auroc"] == pytest.approx(roc_auc_score(anomalous, score), abs=1e-6)


def test_validation_which_has_no_anomalies_is_measured_without_them():
    architecture, nets = make(use="anomaly")
    assert "auroc" not in measured(architecture.measure, nets, images(5))


@pytest.mark.parametrize("options", [{}, {"network": "dense"}])
def test_the_gradients_of_parts_of_a_batch_add_up_and_reach_every_parameter(options):
    architecture, nets = make(**options)

    def gradients(*parts):
        for chosen in parts:
            architecture.loss(nets, take(images(12), chosen), "model").total.backward()
        found = [parameter.grad.clone() for parameter in nets["model"].parameters()]
        nets["model"].zero_grad()
        return found

    whole = gradients(slice(0, 12))
    torch.testing.assert_close(whole, gradients(slice(0, 5), slice(5, 12)), rtol=1e-4, atol=1e-6)
    assert all(gradient.any() for gradient in whole)


@pytest.mark.parametrize("use", USES)
def test_it_draws_reconstructions_the_plane_and_the_scores(use):
    architecture, nets = make(use=use)
    with torch.no_grad():
        pictures = architecture.artifacts(nets, images(32), [images(20), images(7)])
    of_anomalies = {"scores", "roc"} if use == "anomaly" else set()
    assert set(pictures) == {"reconstructions", "plane"} | of_anomalies
    for picture in pictures.values():
        pixels = picture.pixels()
        assert pixels.dtype == np.uint8
        assert pixels.std() > 1  # not a blank sheet


def test_of_normal_images_alone_there_is_no_roc_curve():
    architecture, nets = make(use="anomaly")
    normal = {**images(9), "label": torch.full((9,), 3)}
    with torch.no_grad():
        assert "roc" not in architecture.artifacts(nets, images(32), [normal])


def test_images_without_classes_are_compressed_and_drawn_too():
    facts = DataFacts.of("image", "none", (1, 8, 8), (), 100, 10, 10)
    architecture = Autoencoder(Options(name="autoencoder"), facts)
    batch = {"image": images(9)["image"]}
    with torch.no_grad():
        assert set(architecture.artifacts(architecture.networks(), batch, [batch])) == {
            "reconstructions",
            "plane",
        }


def test_anomaly_detection_needs_included_and_other_classes():
    whole = DataFacts.of("image", "classify", (1, 8, 8), tuple("0123456789"), 1437, 180, 180)
    anomaly = Options(name="autoencoder", use="anomaly")
    assert "data.include_classes=[0]" in anomaly.find_conflict(whole).hint
    assert anomaly.find_conflict(DIGITS) is None
    assert Options(name="autoencoder").find_conflict(whole) is None
