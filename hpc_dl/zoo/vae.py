"""Variational autoencoder (Kingma and Welling, arXiv:1312.6114).

An encoder gives the mean μ and the standard deviation σ of q(z|x) = N(μ, σ²), a decoder p(x|z);
training descends the negative evidence lower bound, per image and in nats,

    -ELBO = E_q[-log p(x|z)] + β KL(q(z|x) || N(0, 1)),    z = μ + σ ε,  ε ~ N(0, 1),
    KL    = ½ Σ (μ² + σ² - 1 - log σ²).

β ≠ 1 is the β-VAE (Higgins et al., ICLR 2017). A Bernoulli likelihood takes grey values as
probabilities; the Gaussian one learns a single scale for all pixels (Rybkin et al.,
arXiv:2006.13202).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hpc_dl.zoo.contract import Architecture, Batch, Loss, Nets, Picture
from hpc_dl.zoo.layers import dense
from hpc_dl.zoo.pictures.grids import grid


class Autoencoder(nn.Module):
    """Encoder and decoder of images of one shape."""

    def __init__(
        self, shape: tuple[int, ...], hidden: list[int], latent_dim: int, activation: str
    ) -> None:
        super().__init__()
        self.shape = shape
        pixels = math.prod(shape)
        self.encoder = dense([pixels, *hidden, 2 * latent_dim], activation)
        self.decoder = dense([latent_dim, *reversed(hidden), pixels], activation)
        self.log_scale = nn.Parameter(torch.zeros(()))

    def encode(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Image (B, C, H, W) to mean and log σ of its code, each (B, latent_dim)."""
        mean, log_std = self.encoder(image.flatten(1)).chunk(2, dim=1)
        return mean, log_std

    def decode(self, code: Tensor) -> Tensor:
        """Code (B, latent_dim) to what the likelihood takes: (B, C, H, W) logits or means."""
        return self.decoder(code).unflatten(1, self.shape)

    def forward(self, image: Tensor, noise: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Decoded sample, mean and log σ of the code, and log of the pixels' scale."""
        mean, log_std = self.encode(image)
        code = mean + noise * log_std.exp() * torch.randn_like(mean) if noise else mean
        return self.decode(code), mean, log_std, self.log_scale.clone()


def kl_divergence(mean: Tensor, log_std: Tensor) -> Tensor:
    """KL(N(mean, exp(log_std)²) || N(0, 1)) in nats, summed over the last axis: (B, D) to (B,)."""
    return 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(dim=-1)


class VariationalAutoencoder(Architecture):
    """One player; its network is an `Autoencoder`."""

    def networks(self) -> dict[str, nn.Module]:
        it = self.options
        network = Autoencoder(self.facts.shape, it.hidden, it.latent_dim, it.activation)
        if it.likelihood == "bernoulli":
            network.log_scale.requires_grad_(False)
        return {"model": network}

    def terms(self, nets: Nets, image: Tensor) -> tuple[Tensor, Tensor]:
        """-log p(x|z) for a sampled z, and the KL term: (B,) each, in nats."""
        decoded, mean, log_std, log_scale = nets["model"](image, self.options.noise)
        return self._surprise(decoded, image, log_scale), kl_divergence(mean, log_std)

    def _surprise(self, decoded: Tensor, image: Tensor, log_scale: Tensor) -> Tensor:
        if self.options.likelihood == "bernoulli":
            nats = F.binary_cross_entropy_with_logits(decoded, image, reduction="none")
        else:
            residual = (image - decoded) / log_scale.exp()
            nats = 0.5 * residual**2 + log_scale + 0.5 * math.log(2 * math.pi)
        return nats.flatten(1).sum(dim=1)

    def loss(self, nets: Nets, batch: Batch, player: str) -> Loss:
        reconstruction, kl = (term.sum() for term in self.terms(nets, batch["image"]))
        logs = {"reconstruction": reconstruction.detach(), "kl": kl.detach()}
        return Loss(reconstruction + self.options.beta * kl, len(batch["image"]), logs)

    def measure(self, nets: Nets, batch: Batch) -> Mapping[str, Loss]:
        reconstruction, kl = (term.sum() for term in self.terms(nets, batch["image"]))
        sums = {
            "loss": reconstruction + self.options.beta * kl,
            "elbo": -(reconstruction + kl),
            "reconstruction": reconstruction,
            "kl": kl,
        }
        return {name: Loss(total, len(batch["image"])) for name, total in sums.items()}

    def artifacts(
        self, nets: Nets, sample: Batch, held_out: Iterable[Batch]
    ) -> Mapping[str, Picture]:
        network, image = nets["model"], sample["image"]
        assert isinstance(network, Autoencoder)
        mean, _ = network.encode(image)
        prior = torch.randn(64, mean.shape[1], device=mean.device)
        pairs = torch.cat([image[:8], self._pixels(network, mean[:8])])
        return {
            "samples": grid(self._pixels(network, prior), 8, "Samples from the prior"),
            "reconstructions": grid(
                pairs, 8, "Reconstructions of held-out images", rows=["original", "decoded"]
            ),
            "walk": self._walk(network, mean),
        }

    def _walk(self, network: Autoencoder, mean: Tensor) -> Picture:
        """From one held-out image's code to another's, along straight lines."""
        steps = torch.linspace(0, 1, 8, device=mean.device)[:, None]
        ends = zip(mean[0:4], mean[4:8], strict=True)
        codes = torch.cat([torch.lerp(start, end, steps) for start, end in ends])
        return grid(self._pixels(network, codes), 8, "A walk through the latent space")

    def _pixels(self, network: Autoencoder, code: Tensor) -> Tensor:
        decoded = network.decode(code)
        return decoded.sigmoid() if self.options.likelihood == "bernoulli" else decoded.clamp(0, 1)

    def predict(self, nets: Nets, batch: Batch) -> Mapping[str, Tensor]:
        network = nets["model"]
        assert isinstance(network, Autoencoder)
        mean, log_std = network.encode(batch["image"])
        return {"reconstruction": self._pixels(network, mean), "mean": mean, "std": log_std.exp()}
