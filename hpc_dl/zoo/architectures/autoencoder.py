"""Autoencoder (Kramer, AIChE J. 37 (1991); Hinton and Salakhutdinov, Science 313 (2006),
https://doi.org/10.1126/science.1127647): an encoder f to a short code, a decoder g back,

    minimise over images x:   |x - g(f(x))|²,

the mean over an image's pixels. To denoise, it maps x̃, which is x with noise, to x (Vincent et al.,
ICML 2008, https://doi.org/10.1145/1390156.1390294). To detect anomalies it learns from normal
images alone, and its error is the anomaly score of a new one.

The peak signal-to-noise ratio of a split is that of its mean squared error, with pixels in [0, 1]:
PSNR = -10 log10(MSE), in dB. It is not the mean of the images' own ratios.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn

from hpc_dl.jobspec.architectures.autoencoder import Autoencoder as Options
from hpc_dl.tasks.metrics import auroc
from hpc_dl.tasks.pictures.detection import detection
from hpc_dl.tasks.pictures.grids import grid
from hpc_dl.tasks.pictures.plane import latent_plane
from hpc_dl.zoo.contract import (
    FARTHEST,
    Architecture,
    Batch,
    Loss,
    Measured,
    Nets,
    OfExamples,
    OfSums,
    Picture,
)
from hpc_dl.zoo.layers.coders import Decoder, Encoder
from hpc_dl.zoo.layers.noise import NOISES

COLUMNS = 8


class Coder(nn.Module):
    """Encoder and decoder of images of one shape."""

    def __init__(self, shape: tuple[int, ...], it: Options, normalise: str, residual: bool) -> None:
        super().__init__()
        channels = it.channels if it.network == "conv" else []
        sizes, beside = (shape, channels, it.hidden, it.latent_dim), (normalise, residual)
        self.encoder = Encoder(*sizes, it.activation, *beside)
        self.decoder = Decoder(*sizes, it.activation, *beside)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the code (B, latent_dim) of images (B, C, H, W), and it decoded, in [0, 1]."""
        code = self.encoder(image)
        return code, self.decoder(code).sigmoid()


class Autoencoder(Architecture):
    """One player; its network is a `Coder`."""

    options: Options

    def networks(self) -> dict[str, nn.Module]:
        beside = self.option("norm", "none"), self.option("residual", False)
        return {"model": Coder(self.facts.shape, self.options, *beside)}

    def corrupt(self, image: Tensor) -> Tensor:
        """Return images (B, C, H, W) with the noise that is to be removed, if any is."""
        if self.options.use != "denoise":
            return image
        return NOISES[self.options.noise](image, self.options.noise_level)

    def loss(self, nets: Nets, batch: Batch, player: str) -> Loss:
        _, decoded = nets["model"](self.corrupt(batch["image"]))
        return Loss(squared_error(decoded, batch["image"]).sum(), len(decoded))

    def measure(self, nets: Nets, batch: Batch) -> Mapping[str, Measured]:
        """Return the mean squared error and the PSNR in dB; of a denoiser also the PSNR of the
        noisy images, and the gain."""
        corrupted = self.corrupt(batch["image"])
        _, decoded = nets["model"](corrupted)
        return self._metrics(corrupted, decoded, batch["image"])

    def test(self, nets: Nets, batch: Batch) -> Mapping[str, Measured]:
        """Return also, of anomaly detection, the area under the ROC curve of the error."""
        if self.options.use != "anomaly":
            return self.measure(nets, batch)
        image = batch["image"]
        _, decoded = nets["model"](image)
        scores = squared_error(decoded, image), self._is_anomalous(batch["label"])
        return {**self._metrics(image, decoded, image), "auroc": OfExamples(auroc, scores)}

    def _metrics(self, corrupted: Tensor, decoded: Tensor, image: Tensor) -> dict[str, Measured]:
        left = squared_error(decoded, image)
        measured: dict[str, Measured] = {
            "loss": Loss(left.sum(), len(left)),
            "psnr": _psnr(decoded, image),
        }
        if self.options.use == "denoise":
            before = squared_error(corrupted, image)
            measured["psnr_noisy"] = _psnr(corrupted, image)
            measured["psnr_gain"] = OfSums(_decibels, (left.sum(), before.sum()))
        return measured

    def _is_anomalous(self, label: Tensor) -> Tensor:
        """Return for classes (B,) int64 whether they were not trained on, (B,) bool."""
        normal = [self.facts.classes.index(name) for name in self.facts.include_classes]
        return ~torch.isin(label, torch.tensor(normal, device=label.device))

    def artifacts(
        self, nets: Nets, sample: Batch, held_out: Iterable[Batch]
    ) -> Mapping[str, Picture]:
        scores: list[tuple[Tensor, Tensor]] = []
        encoded = self._encode(nets, held_out, scores)
        pictures = {
            "reconstructions": self._reconstructions(nets, sample["image"][:COLUMNS]),
            "plane": latent_plane(encoded, self.facts.classes),
        }
        if self.options.use == "anomaly":
            for _ in encoded:  # the plane is of the first batches alone, the scores are of all
                pass
            pictures |= detection(*(torch.cat(column) for column in zip(*scores, strict=True)))
        return pictures

    def _encode(
        self, nets: Nets, held_out: Iterable[Batch], scores: list[tuple[Tensor, Tensor]]
    ) -> Iterator[tuple[Tensor, Batch]]:
        """Yield the codes of each batch; append anomaly scores and labels to `scores`."""
        for batch in held_out:
            code, decoded = nets["model"](self.corrupt(batch["image"]))
            if self.options.use == "anomaly":
                anomalous = self._is_anomalous(batch["label"])
                scores.append((squared_error(decoded, batch["image"]).cpu(), anomalous.cpu()))
            yield code, batch

    def _reconstructions(self, nets: Nets, image: Tensor) -> Picture:
        corrupted = self.corrupt(image)
        _, decoded = nets["model"](corrupted)
        if self.options.use == "denoise":
            noise = f"{self.options.noise.replace('_', ' ')} noise, {self.options.noise_level:g}"
            rows = ["noisy", "cleaned", "original"]
            images = torch.cat([corrupted, decoded, image])
            return grid(images, COLUMNS, noise.capitalize(), rows=rows)
        caption, rows = "Reconstructions", ["original", "decoded"]
        return grid(torch.cat([image, decoded]), COLUMNS, caption, rows=rows)

    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """Return a range beyond [0, 1] for Gaussian noise, which is not clipped."""
        it = self.options
        beyond = FARTHEST * it.noise_level if (it.use, it.noise) == ("denoise", "gaussian") else 0
        return {"image": (-beyond, 1 + beyond)}

    def predict(self, nets: Nets, batch: Batch) -> Mapping[str, Tensor]:
        """Return the code, it decoded, and the error: of a noisy image, how much was removed."""
        code, decoded = nets["model"](batch["image"])
        return {
            "reconstruction": decoded,
            "code": code,
            "error": squared_error(decoded, batch["image"]),
        }


def squared_error(decoded: Tensor, image: Tensor) -> Tensor:
    """Return the mean squared error of each image (B, C, H, W): (B,)."""
    return ((decoded - image) ** 2).flatten(1).mean(dim=1)


def _psnr(decoded: Tensor, image: Tensor) -> OfSums:
    """Return the part of a batch (B, C, H, W) in the peak signal-to-noise ratio of all, in dB."""
    return OfSums(_decibels, ((decoded - image).square().sum(), image.numel()))


def _decibels(error: Tensor, whole: Tensor) -> Tensor:
    return -10 * (error / whole).log10()
