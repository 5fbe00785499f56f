"""The network of airbench: whitening, blocks that begin as identities, mirrored evaluation."""

import pytest
import torch
from torch import nn

from hpc_dl.jobspec.architectures.airbench import Airbench as Options
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.zoo.architectures.airbench import Airbench
from hpc_dl.zoo.layers.whitening import Whitening
from tests.support import steps

CIFAR = DataFacts.of("image", "classify", (3, 32, 32), tuple("0123456789"), 45000, 5000, 10000)


def network(**options):
    return Airbench(Options(name="airbench", **options), CIFAR).networks()["model"]


def test_it_is_as_large_as_airbenchs():
    """1.97 million parameters (section 3.1), of which the whitening and its batch norm's scales are
    not trained."""
    assert round(sum(it.numel() for it in network().parameters()) / 1e6, 2) == 1.97


def pictures():
    """Smooth ones, of bytes, whose pixels and colours go together."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(60, 3, 5, 5, generator=generator)
    grey = coarse.mean(dim=1, keepdim=True)
    return (nn.functional.interpolate(0.7 * grey + 0.3 * coarse, 12, mode="bilinear") * 255).byte()


def test_whitened_patches_are_uncorrelated_with_a_mean_of_0_however_they_come():
    image, layer, again = pictures(), Whitening(3, 2), Whitening(3, 2)
    layer.fit([image])
    again.fit(image.split(25))
    torch.testing.assert_close(layer.weight, again.weight)
    found = layer(image.float() / 255)[:, :12].transpose(0, 1).flatten(1)
    strongest = torch.cov(found)[-6:, -6:]  # to others 1 / 2000 of a pixel's variance is added
    torch.testing.assert_close(strongest, torch.eye(6), atol=0.35, rtol=0)
    assert (strongest - strongest.diag().diag()).abs().max() < 1e-3
    assert found.mean(dim=1).abs().max() < 1e-3
    opposite = layer(image.float() / 255)[:, 12:].transpose(0, 1).flatten(1)
    torch.testing.assert_close(opposite, -found, atol=1e-4, rtol=0)


def test_pictures_of_one_colour_are_whitened_to_numbers():
    layer = Whitening(1, 2)
    layer.fit([torch.full((4, 1, 6, 6), 9, dtype=torch.uint8)])
    assert layer(torch.full((1, 1, 6, 6), 9 / 255)).isfinite().all()


def test_the_filters_are_fitted_to_the_training_split_and_stay(tmp_path):
    model = {"name": "airbench", "channels": [8], "mirror": True}
    spec = steps.job(model=model, train={"optimizer": {"name": "muon", "lr": 0.02}})
    engine, batches = steps.engine_of(spec, tmp_path)
    whitening = engine.unwrapped["model"].network[0]
    expected = Whitening(1, 2)
    expected.fit([batches.split.tensors["image"][batches.split.index.argsort()]])
    torch.testing.assert_close(whitening.weight, expected.weight)
    filters, bias = whitening.weight.clone(), whitening.bias.clone()
    engine.train_step(batches.of_step(0), batches.dummy_batch, report=False)
    assert torch.equal(whitening.weight, filters)
    assert not torch.equal(whitening.bias, bias)


def test_the_first_channels_of_a_convolution_begin_as_its_inputs():
    convolution = network()[2]
    image = torch.rand(2, 24, 9, 9)
    torch.testing.assert_close(convolution(image)[:, :24], image)


def test_a_picture_and_its_mirror_image_have_the_same_outputs_but_while_training():
    torch.manual_seed(0)
    net, image = network(channels=[8, 8], mirror=True), torch.rand(4, 3, 32, 32)
    net.eval()
    torch.testing.assert_close(net(image), net(image.flip(-1)))
    net.train()
    assert not torch.allclose(net(image), net(image.flip(-1)))


@pytest.mark.parametrize("side, fits", [(9, True), (8, False)])
def test_pictures_that_are_too_small_for_the_blocks_are_refused(side, fits):
    facts = DataFacts.of("image", "classify", (3, side, side), ("a", "b"), 9, 2, 2)
    options = Options(name="airbench", channels=[4, 4, 4])
    conflict = options.find_conflict(facts)
    assert (conflict is None) == fits
    if conflict:
        assert "9 x 9" in conflict.message
    else:
        net = Airbench(options, facts).networks()["model"]
        assert net(torch.rand(2, 3, side, side)).shape == (2, 2)
