"""The variational autoencoder's terms are what the papers say."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal

from hpc_dl.jobspec.architectures.vae import VariationalAutoencoder as Options
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.zoo.architectures.vae import VariationalAutoencoder, kl_divergence
from hpc_dl.zoo.contract import take

DIGITS = DataFacts.of("image", "classify", (1, 8, 8), tuple("0123456789"), 1437, 180, 180)


def make(**options):
    torch.manual_seed(0)
    options = {"latent_dim": 3, "hidden": [16], "channels": [4], **options}
    architecture = VariationalAutoencoder(Options(name="vae", **options), DIGITS)
    return architecture, architecture.networks()


def images(count):
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(count, 1, 8, 8, generator=generator).round()
    return {"image": image, "label": torch.arange(count) % 10}


def test_the_kl_term_agrees_with_a_monte_carlo_estimate():
    torch.manual_seed(0)
    mean, log_std = torch.randn(5, 4), 0.5 * torch.randn(5, 4)
    posterior, prior = Normal(mean, log_std.exp()), Normal(0.0, 1.0)
    draws = posterior.sample((200_000,))
    estimate = (posterior.log_prob(draws) - prior.log_prob(draws)).sum(-1).mean(0)
    torch.testing.assert_close(kl_divergence(mean, log_std), estimate, rtol=0.02, atol=0.02)


def test_the_kl_term_of_a_standard_normal_code_is_zero():
    assert kl_divergence(torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_the_reconstruction_term_is_minus_the_log_likelihood(likelihood):
    architecture, nets = make(likelihood=likelihood, noise=0.0)
    batch, network = images(6), nets["model"]
    with torch.no_grad():
        network.log_scale.fill_(math.log(0.3))
        decoded = network.decode(network.encode(batch["image"], None)[0], None)
        nll, _ = architecture.elbo_terms(nets, batch)
    given = Bernoulli(logits=decoded) if likelihood == "bernoulli" else Normal(decoded, 0.3)
    torch.testing.assert_close(nll, -Independent(given, 3).log_prob(batch["image"]))


def test_beta_weighs_the_kl_term_of_the_loss_and_leaves_the_elbo_alone():
    architecture, nets = make(beta=4.0, noise=0.0)
    with torch.no_grad():
        measured = architecture.measure(nets, images(6))
    sums = {name: float(it.total) for name, it in measured.items()}
    assert sums["loss"] == pytest.approx(sums["reconstruction"] + 4 * sums["kl"])
    assert sums["elbo"] == pytest.approx(-sums["reconstruction"] - sums["kl"])


def test_bits_per_dimension_of_black_images_by_an_uninformed_decoder_are_one():
    architecture, nets = make(noise=0.0)
    nets["model"].requires_grad_(False)
    for parameter in nets["model"].parameters():
        parameter.zero_()  # each pixel is white with probability 1/2, and the code is N(0, 1)
    bits = architecture.measure(nets, images(6))["bits_per_dimension"]
    assert float(bits.total) / bits.count == pytest.approx(1)


def test_bits_per_dimension_of_a_density_count_the_grey_levels():
    architecture, nets = make(noise=0.0, likelihood="gaussian")
    nets["model"].requires_grad_(False)
    for parameter in nets["model"].parameters():
        parameter.zero_()
    bits = architecture.measure(nets, {"image": torch.zeros(1, 1, 8, 8)})["bits_per_dimension"]
    chance_of_a_level = Normal(0.0, 1.0).log_prob(torch.tensor(0.0)).exp() / 256
    assert float(bits.total) == pytest.approx(-math.log2(chance_of_a_level))


def test_with_one_code_the_importance_weighted_bound_is_the_elbo_and_grows_with_more():
    architecture, nets = make()
    with torch.no_grad():
        nets["model"].decoder.layers[0][0].weight.mul_(10)  # so that the code matters
    batch = {"image": images(1)["image"].expand(4000, -1, -1, -1)}
    with torch.no_grad():
        elbo = -sum(term.mean() for term in architecture.elbo_terms(nets, batch))
        one, two, twenty = (
            architecture.importance_weighted(nets, batch, samples).mean() for samples in (1, 2, 20)
        )
    torch.testing.assert_close(one, elbo, rtol=0, atol=0.2)
    assert one + 0.1 < two < twenty - 0.1


def test_the_importance_weighted_bound_converges_to_the_likelihood():
    """With a decoder that ignores the code, log p(x) is known, whatever the posterior."""
    architecture, nets = make()
    batch = images(4)
    with torch.no_grad():
        for parameter in nets["model"].decoder.parameters():
            parameter.zero_()
        bound = architecture.importance_weighted(nets, batch, 200)
        elbo = -sum(architecture.elbo_terms(nets, batch))
    torch.testing.assert_close(bound, torch.full((4,), -64 * math.log(2)), rtol=0, atol=0.1)
    assert (elbo < bound).all()


def test_the_bound_is_measured_at_the_end_alone():
    architecture, nets = make(importance_samples=2)
    with torch.no_grad():
        measured, tested = (f(nets, images(6)) for f in (architecture.measure, architecture.test))
    assert set(tested) - set(measured) == {"iw_bound"}


def test_without_noise_two_evaluations_agree_and_with_noise_they_do_not():
    for noise, same in ((0.0, True), (1.0, False)):
        architecture, nets = make(noise=noise)
        with torch.no_grad():
            first, second = (architecture.loss(nets, images(6), "").total for _ in range(2))
        assert torch.equal(first, second) is same


def test_the_sampled_code_has_the_encoders_mean_and_standard_deviation():
    _, nets = make()
    image = torch.rand(1, 1, 8, 8).expand(20_000, -1, -1, -1)
    with torch.no_grad():
        _, codes, mean, log_std, _ = nets["model"](image, None, 1.0)
    torch.testing.assert_close(codes.mean(0), mean[0], rtol=0.05, atol=0.03)
    torch.testing.assert_close(codes.std(0), log_std[0].exp(), rtol=0.05, atol=0.03)


@pytest.mark.parametrize("options", [{}, {"network": "dense"}, {"conditional": True}])
def test_the_gradients_of_parts_of_a_batch_add_up_and_reach_every_parameter(options):
    architecture, nets = make(noise=0.0, **options)
    parameters = [p for p in nets["model"].parameters() if p.requires_grad]

    def gradients(*parts):
        for chosen in parts:
            architecture.loss(nets, take(images(12), chosen), "model").total.backward()
        found = [parameter.grad.clone() for parameter in parameters]
        nets["model"].zero_grad()
        return found

    whole = gradients(slice(0, 12))
    torch.testing.assert_close(whole, gradients(slice(0, 5), slice(5, 12)), rtol=1e-4, atol=1e-5)
    assert all(gradient.any() for gradient in whole)


def test_the_condition_changes_the_image_of_a_code():
    architecture, nets = make(conditional=True)
    batch = {name: tensor.expand(2, *tensor.shape[1:]) for name, tensor in images(1).items()}
    with torch.no_grad():
        three, five = architecture.predict(nets, {**batch, "label": torch.tensor([3, 5])})["mean"]
        drawn = nets["model"].decode(torch.zeros(2, 3), torch.eye(10)[[3, 5]])
    assert not torch.equal(three, five)
    assert not torch.equal(*drawn)
    assert set(architecture.inputs(batch)) == {"image", "label"}


def test_data_without_classes_cannot_condition():
    unknown = DataFacts.of("image", "none", (1, 8, 8), (), 10, 1, 1)
    assert Options(name="vae", conditional=True).find_conflict(unknown).option == "conditional"
    assert Options(name="vae").find_conflict(unknown) is None


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 13)])
@pytest.mark.parametrize("network", ["dense", "conv"])
def test_images_of_any_size_come_back_in_it(shape, network):
    facts = DataFacts.of("image", "classify", shape, ("a", "b"), 1, 1, 1)
    architecture = VariationalAutoencoder(Options(name="vae", network=network), facts)
    image = torch.rand(2, *shape)
    decoded = architecture.predict(architecture.networks(), {"image": image})["reconstruction"]
    assert decoded.shape == image.shape


@pytest.mark.parametrize("options", [{}, {"conditional": True}, {"latent_dim": 1}])
def test_it_draws_samples_reconstructions_a_walk_and_the_plane(options):
    architecture, nets = make(**options)
    with torch.no_grad():
        pictures = architecture.artifacts(nets, images(32), [images(20), images(7)])
    assert set(pictures) == {"samples", "reconstructions", "walk", "plane"}
    for picture in pictures.values():
        pixels = picture.pixels()
        assert pixels.dtype == np.uint8
        assert pixels.std() > 1  # not a blank sheet


def test_the_samples_are_of_the_same_codes_at_every_step():
    architecture, nets = make()
    sheets = []
    for seed in (1, 2):
        torch.manual_seed(seed)  # as the engine does, by the step
        with torch.no_grad():
            pictures = architecture.artifacts(nets, images(32), [images(20)])
        sheets.append(pictures["samples"].pixels())
    np.testing.assert_array_equal(*sheets)


def test_a_gaussian_likelihood_begins_about_as_wide_as_grey_values_are_spread():
    """From a wider one no code pays, and training stays for long where the KL term is 0."""
    _, nets = make(likelihood="gaussian")
    assert 0.25 < float(nets["model"].log_scale.detach().exp()) < 0.5
