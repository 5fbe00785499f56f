"""The variational autoencoder's terms are what the paper says."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal

from hpc_dl.spec.data import DataFacts
from hpc_dl.spec.models.vae import VariationalAutoencoder as Options
from hpc_dl.zoo.vae import VariationalAutoencoder, kl_divergence

DIGITS = DataFacts("image", "classify", (1, 8, 8), tuple("0123456789"), 1437, 180, 180)


def make(**options):
    torch.manual_seed(0)
    architecture = VariationalAutoencoder(
        Options(name="vae", latent_dim=3, hidden=[16], **options), DIGITS
    )
    return architecture, architecture.networks()


def test_the_kl_term_agrees_with_a_monte_carlo_estimate():
    torch.manual_seed(0)
    mean, log_std = torch.randn(5, 4), 0.5 * torch.randn(5, 4)
    posterior, prior = Normal(mean, log_std.exp()), Normal(0.0, 1.0)
    draws = posterior.sample((200_000,))
    estimate = (posterior.log_prob(draws) - prior.log_prob(draws)).sum(-1).mean(0)
    torch.testing.assert_close(kl_divergence(mean, log_std), estimate, rtol=0.02, atol=0.02)


def test_a_standard_normal_code_costs_nothing():
    assert kl_divergence(torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_the_reconstruction_term_is_minus_the_log_likelihood(likelihood):
    architecture, nets = make(likelihood=likelihood, noise=0.0)
    image = torch.rand(6, 1, 8, 8).round()
    network = nets["model"]
    with torch.no_grad():
        network.log_scale.fill_(math.log(0.3))
        decoded = network.decode(network.encode(image)[0])
        surprise, _ = architecture.terms(nets, image)
    given = Bernoulli(logits=decoded) if likelihood == "bernoulli" else Normal(decoded, 0.3)
    torch.testing.assert_close(surprise, -Independent(given, 3).log_prob(image))


def test_beta_weighs_the_kl_term_of_the_loss_and_leaves_the_elbo_alone():
    architecture, nets = make(beta=4.0, noise=0.0)
    batch = {"image": torch.rand(6, 1, 8, 8)}
    with torch.no_grad():
        measured = {name: float(it.total) for name, it in architecture.measure(nets, batch).items()}
    assert measured["loss"] == pytest.approx(measured["reconstruction"] + 4 * measured["kl"])
    assert measured["elbo"] == pytest.approx(-measured["reconstruction"] - measured["kl"])


def test_without_noise_two_evaluations_agree_and_with_noise_they_do_not():
    image = {"image": torch.rand(6, 1, 8, 8)}
    for noise, same in ((0.0, True), (1.0, False)):
        architecture, nets = make(noise=noise)
        first, second = (float(architecture.loss(nets, image, "model").total) for _ in range(2))
        assert (first == second) is same


def test_the_sampled_code_has_the_encoders_mean_and_standard_deviation():
    _, nets = make()
    network = nets["model"]
    codes = []
    network.decode = lambda code: codes.append(code) or code  # look at what is decoded
    image = torch.rand(1, 1, 8, 8).expand(20_000, -1, -1, -1)
    with torch.no_grad():
        _, mean, log_std, _ = network(image, 1.0)
    torch.testing.assert_close(codes[0].mean(0), mean[0], rtol=0.05, atol=0.03)
    torch.testing.assert_close(codes[0].std(0), log_std[0].exp(), rtol=0.05, atol=0.03)


def test_it_draws_samples_reconstructions_and_a_walk():
    architecture, nets = make()
    with torch.no_grad():
        pictures = architecture.artifacts(nets, {"image": torch.rand(32, 1, 8, 8)}, [])
    assert set(pictures) == {"samples", "reconstructions", "walk"}
    for picture in pictures.values():
        pixels = picture.pixels()
        assert pixels.dtype == np.uint8
        assert pixels.std() > 1  # not a blank sheet
