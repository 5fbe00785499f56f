"""Variational autoencoder (Kingma and Welling, arXiv:1312.6114).

An encoder gives the mean μ and the standard deviation σ of q(z|x) = N(μ, σ²), a decoder p(x|z);
training minimises the negative evidence lower bound, per image and in nats,

    -ELBO = E_q[-log p(x|z)] + β KL(q(z|x) || N(0, 1)),    z = μ + σ ε,  ε ~ N(0, 1),
    KL    = ½ Σ (μ² + σ² - 1 - log σ²).

β ≠ 1 is the β-VAE (Higgins et al., ICLR 2017). A Bernoulli likelihood takes grey values as
probabilities; the Gaussian one learns a single scale for all pixels (Rybkin et al.,
arXiv:2006.13202). Both halves may be conditional on the class (Sohn et al., NIPS 2015).

The final test also has the importance-weighted bound (Burda et al., arXiv:1509.00519), which comes
the closer to log p(x) the more codes z_1 ... z_K are drawn of an image,

    ELBO ≤ E log 1/K Σ_k p(x|z_k) p(z_k) / q(z_k|x) ≤ log p(x).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hpc_dl.jobspec.architectures.vae import VariationalAutoencoder as Options
from hpc_dl.tasks.pictures.grids import grid
from hpc_dl.tasks.pictures.plane import latent_plane
from hpc_dl.zoo.contract import Architecture, Batch, Loss, Nets, Picture
from hpc_dl.zoo.layers.coders import Decoder, Encoder

COLUMNS = 8
SAMPLES = 64
SAMPLES_SEED = 0
GREY_LEVELS = 256
LOG_2PI = math.log(2 * math.pi)


class Autoencoder(nn.Module):
    """Encoder and decoder of images of one shape, conditional on one of `classes` unless 0."""

    def __init__(
        self, shape: tuple[int, ...], it: Options, classes: int, normalise: str, residual: bool
    ) -> None:
        super().__init__()
        channels = it.channels if it.network == "conv" else []
        sizes, beside = (shape, channels, it.hidden), (it.activation, normalise, residual)
        self.encoder = Encoder(*sizes, 2 * it.latent_dim, *beside, condition=classes)
        self.decoder = Decoder(*sizes, it.latent_dim + classes, *beside)
        self.log_scale = nn.Parameter(torch.tensor(-1.0))  # from about the spread of grey values

    def encode(self, image: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """Encode images (B, C, H, W) to mean and log σ of their codes, each (B, latent_dim).

        `condition` is the one-hot class (B, classes), or None.
        """
        mean, log_std = self.encoder(image, condition).chunk(2, dim=1)
        return mean, log_std

    def decode(self, code: Tensor, condition: Tensor | None) -> Tensor:
        """Decode codes (B, latent_dim) to logits or means of the likelihood, (B, C, H, W)."""
        return self.decoder(code if condition is None else torch.cat([code, condition], dim=1))

    def forward(
        self, image: Tensor, condition: Tensor | None, noise: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return the decoded sample, its code, the code's mean and log σ, and log of the pixels'
        scale."""
        mean, log_std = self.encode(image, condition)
        code = mean + noise * log_std.exp() * torch.randn_like(mean) if noise else mean
        return self.decode(code, condition), code, mean, log_std, self.log_scale.clone()


def kl_divergence(mean: Tensor, log_std: Tensor) -> Tensor:
    """Return KL(N(mean, exp(log_std)²) || N(0, 1)) in nats, summed over the last axis: (B, D) to
    (B,)."""
    return 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(dim=-1)


class VariationalAutoencoder(Architecture):
    """One player; its network is an `Autoencoder`."""

    options: Options

    def networks(self) -> dict[str, nn.Module]:
        classes = self.facts.outputs if self.options.conditional else 0
        beside = self.option("norm", "none"), self.option("residual", False)
        network = Autoencoder(self.facts.shape, self.options, classes, *beside)
        if self.options.likelihood == "bernoulli":
            network.log_scale.requires_grad_(False)
        return {"model": network}

    def elbo_terms(self, nets: Nets, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return -log p(x|z) for a sampled z, and the KL term: (B,) each, in nats."""
        image, condition, noise = batch["image"], self._condition(batch), self.options.noise
        decoded, _, mean, log_std, log_scale = nets["model"](image, condition, noise)
        nll = self._negative_log_likelihood(decoded, image, log_scale)
        return nll, kl_divergence(mean, log_std)

    def importance_weighted(self, nets: Nets, batch: Batch, samples: int) -> Tensor:
        """Return the bound on log p(x) from so many codes of each image: (B,) in nats."""
        image, condition, log_weights = batch["image"], self._condition(batch), []
        for _ in range(samples):
            decoded, code, mean, log_std, log_scale = nets["model"](image, condition, 1.0)
            log_prior = -0.5 * (code**2).sum(dim=1)
            log_posterior = -(0.5 * ((code - mean) / log_std.exp()) ** 2 + log_std).sum(dim=1)
            nll = self._negative_log_likelihood(decoded, image, log_scale)
            log_weights.append(log_prior - log_posterior - nll)
        return torch.stack(log_weights).logsumexp(dim=0) - math.log(samples)

    def _negative_log_likelihood(self, decoded: Tensor, image: Tensor, log_scale: Tensor) -> Tensor:
        if self.options.likelihood == "bernoulli":
            nats = F.binary_cross_entropy_with_logits(decoded, image, reduction="none")
        else:
            nats = 0.5 * ((image - decoded) / log_scale.exp()) ** 2 + log_scale + 0.5 * LOG_2PI
        return nats.flatten(1).sum(dim=1)

    def _condition(self, batch: Batch) -> Tensor | None:
        """Return the one-hot classes of a batch; None if the network is not conditional."""
        if not self.options.conditional:
            return None
        label = batch["label"]
        classes = torch.arange(self.facts.outputs, device=label.device)
        return (label[:, None] == classes).float()  # F.one_hot may look at the labels first

    def loss(self, nets: Nets, batch: Batch, player: str) -> Loss:
        reconstruction, kl = (term.sum() for term in self.elbo_terms(nets, batch))
        logs = {"reconstruction": reconstruction.detach(), "kl": kl.detach()}
        return Loss(reconstruction + self.options.beta * kl, len(batch["image"]), logs)

    def measure(self, nets: Nets, batch: Batch) -> Mapping[str, Loss]:
        """Return the loss; the ELBO and its two terms, in nats an image; bits per dimension."""
        reconstruction, kl = (term.sum() for term in self.elbo_terms(nets, batch))
        sums = {
            "loss": reconstruction + self.options.beta * kl,
            "elbo": -(reconstruction + kl),
            "reconstruction": reconstruction,
            "kl": kl,
            "bits_per_dimension": self._bits(reconstruction + kl, len(batch["image"])),
        }
        return {name: Loss(total, len(batch["image"])) for name, total in sums.items()}

    def _bits(self, nats: Tensor, images: int) -> Tensor:
        """Convert a sum of nats to bits per pixel and channel.

        The Gaussian likelihood is a density: a grey level is 1 / 256 wide in [0, 1].
        """
        bits = nats / (math.log(2) * math.prod(self.facts.shape))
        return bits + images * math.log2(GREY_LEVELS) * (self.options.likelihood == "gaussian")

    def test(self, nets: Nets, batch: Batch) -> Mapping[str, Loss]:
        bound = self.importance_weighted(nets, batch, self.options.importance_samples)
        return {**self.measure(nets, batch), "iw_bound": Loss(bound.sum(), len(bound))}

    def artifacts(
        self, nets: Nets, sample: Batch, held_out: Iterable[Batch]
    ) -> Mapping[str, Picture]:
        network = _unwrapped(nets)
        pictures = {
            "samples": self._samples(network, sample["image"].device),
            "reconstructions": self._reconstructions(network, sample),
            "plane": self._plane(network, held_out),
        }
        if len(sample["image"]) > 1:
            pictures["walk"] = self._walk(network, sample)
        return pictures

    def _samples(self, network: Autoencoder, device: torch.device) -> Picture:
        """Decode the same codes throughout a run; a row for each class, if conditional."""
        generator = torch.Generator().manual_seed(SAMPLES_SEED)
        if not self.options.conditional:
            codes = torch.randn(SAMPLES, self.options.latent_dim, generator=generator).to(device)
            caption = "Samples from the prior"
            return grid(self._pixels(network, codes, None), COLUMNS, caption, generated=True)
        names = self.facts.classes[:SAMPLES]
        codes = torch.randn(COLUMNS, self.options.latent_dim, generator=generator).to(device)
        label = torch.arange(len(names), device=device).repeat_interleave(COLUMNS)
        condition = self._condition({"label": label})
        pixels = self._pixels(network, codes.repeat(len(names), 1), condition)
        caption = "Samples of each class; a column has one code"
        return grid(pixels, COLUMNS, caption, rows=names, generated=True)

    def _reconstructions(self, network: Autoencoder, sample: Batch) -> Picture:
        shown = {name: tensor[:COLUMNS] for name, tensor in sample.items()}
        condition = self._condition(shown)
        code, _ = network.encode(shown["image"], condition)
        decoded = self._pixels(network, code, condition)
        caption, rows = "Reconstructions", ["original", "decoded"]
        return grid(torch.cat([shown["image"], decoded]), COLUMNS, caption, rows=rows)

    def _walk(self, network: Autoencoder, sample: Batch) -> Picture:
        """Decode codes on straight lines between those of held-out images, and so their classes."""
        condition = self._condition(sample)
        mean, _ = network.encode(sample["image"], condition)
        conditions = None if condition is None else _interpolate(condition)
        caption = "A walk through the latent space"
        return grid(self._pixels(network, _interpolate(mean), conditions), COLUMNS, caption)

    def _plane(self, network: Autoencoder, held_out: Iterable[Batch]) -> Picture:
        encoded = (
            (network.encode(batch["image"], self._condition(batch))[0], batch) for batch in held_out
        )
        return latent_plane(encoded, self.facts.classes)

    def _pixels(self, network: Autoencoder, code: Tensor, condition: Tensor | None) -> Tensor:
        """Decode codes to images in [0, 1]."""
        decoded = network.decode(code, condition)
        return decoded.sigmoid() if self.options.likelihood == "bernoulli" else decoded.clamp(0, 1)

    def inputs(self, sample: Batch) -> Batch:
        wanted = ("image", "label") if self.options.conditional else ("image",)
        return {name: sample[name] for name in wanted}

    def random_inputs(self, count: int, generator: torch.Generator) -> Batch:
        """Return codes from the prior and, if conditional, the classes in turn."""
        code = torch.randn(count, self.options.latent_dim, generator=generator)
        label = torch.arange(count) % max(len(self.facts.classes), 1)
        return {"code": code, "label": label} if self.options.conditional else {"code": code}

    def generate(self, nets: Nets, batch: Batch) -> Tensor:
        return self._pixels(_unwrapped(nets), batch["code"], self._condition(batch))

    def predict(self, nets: Nets, batch: Batch) -> Mapping[str, Tensor]:
        network, condition = _unwrapped(nets), self._condition(batch)
        mean, log_std = network.encode(batch["image"], condition)
        pixels = self._pixels(network, mean, condition)
        return {"reconstruction": pixels, "mean": mean, "std": log_std.exp()}


def _unwrapped(nets: Nets) -> Autoencoder:
    network = nets["model"]
    assert isinstance(network, Autoencoder)
    return network


def _interpolate(points: Tensor) -> Tensor:
    """Return points from each of the first (B, D), four at most, to each of as many next ones, in
    eight steps: (32, D)."""
    steps = torch.linspace(0, 1, COLUMNS, device=points.device)[:, None]
    walks = min(len(points) // 2, 4)
    ends = zip(points[:walks], points[walks : 2 * walks], strict=True)
    return torch.cat([torch.lerp(start, end, steps) for start, end in ends])
