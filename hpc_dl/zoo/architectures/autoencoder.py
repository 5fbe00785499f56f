"""Autoencoder (Kramer, AIChE J. 37 (1991); Hinton and Salakhutdinov, Science 313 (2006),
https://doi.org/10.1126/science.1127647): an encoder f to a short code, a decoder g back,

    minimise over images x:   |x - g(f(x))|²,

the mean over an image's pixels. To denoise, it is given x̃, which is x with noise, and still has to
give x (Vincent et al., ICML 2008, https://doi.org/10.1145/1390156.1390294). To find anomalies it
learns from usual images alone, and its error is the score of a new one: the higher, the less usual.

The peak signal-to-noise ratio of a split is that of its mean squared error, with pixels in [0, 1]:
PSNR = -10 log10(MSE), in dB. It is not the mean of the images' own ratios.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hpc_dl.jobspec.architectures.autoencoder import Autoencoder as Options
from hpc_dl.tasks.pictures.detection import detection
from hpc_dl.tasks.pictures.grids import grid
from hpc_dl.tasks.pictures.plane import latent_plane
from hpc_dl.torchvision_compat import torchvision
from hpc_dl.zoo.contract import FARTHEST, Architecture, Batch, Loss, Nets, Observed, Picture
from hpc_dl.zoo.layers.coders import Decoder, Encoder
from hpc_dl.zoo.layers.noise import NOISES

if TYPE_CHECKING:
    from torchmetrics import Metric

COLUMNS = 8


class Coder(nn.Module):
    """Encoder and decoder of images of one shape."""

    def __init__(self, shape: tuple[int, ...], it: Options) -> None:
        super().__init__()
        channels = it.channels if it.network == "conv" else []
        self.encoder = Encoder(shape, channels, it.hidden, it.latent_dim, it.activation)
        self.decoder = Decoder(shape, channels, it.hidden, it.latent_dim, it.activation)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Image (B, C, H, W) to its code (B, latent_dim), and what is decoded of it, in [0, 1]."""
        code = self.encoder(image)
        return code, self.decoder(code).sigmoid()


class Autoencoder(Architecture):
    """One player; its network is a `Coder`."""

    options: Options

    def networks(self) -> dict[str, nn.Module]:
        return {"model": Coder(self.facts.shape, self.options)}

    def given(self, image: Tensor) -> Tensor:
        """What the network is given of images (B, C, H, W): they themselves, or with noise."""
        if self.options.use != "denoise":
            return image
        return NOISES[self.options.noise](image, self.options.noise_level)

    def loss(self, nets: Nets, batch: Batch, player: str) -> Loss:
        _, decoded = nets["model"](self.given(batch["image"]))
        return Loss(errors(decoded, batch["image"]).sum(), len(decoded))

    def measure(self, nets: Nets, batch: Batch) -> Mapping[str, Loss | Observed]:
        """The mean squared error and the PSNR in dB; where there was noise, the noisy images' PSNR
        too, and by how much it is better without."""
        given = self.given(batch["image"])
        _, decoded = nets["model"](given)
        return self._measured(given, decoded, batch["image"])

    def test(self, nets: Nets, batch: Batch) -> Mapping[str, Loss | Observed]:
        """Also, of anomalies, the area under the curve of telling them by their error."""
        if self.options.use != "anomaly":
            return self.measure(nets, batch)
        image = batch["image"]
        _, decoded = nets["model"](image)
        seen = errors(decoded, image), self._anomalous(batch["label"]).long()
        return {**self._measured(image, decoded, image), "auroc": Observed(_auroc, seen)}

    def _measured(
        self, given: Tensor, decoded: Tensor, image: Tensor
    ) -> dict[str, Loss | Observed]:
        left = errors(decoded, image)
        measured: dict[str, Loss | Observed] = {
            "loss": Loss(left.sum(), len(left)),
            "psnr": Observed(_psnr, (decoded, image)),
        }
        if self.options.use == "denoise":
            before = errors(given, image)
            measured["psnr_noisy"] = Observed(_psnr, (given, image))
            measured["psnr_gain"] = Observed(_gain, (left / before, before))
        return measured

    def _anomalous(self, label: Tensor) -> Tensor:
        """Whether images of these classes, (B,) int64, are of one that was not trained on."""
        usual = [self.facts.classes.index(name) for name in self.facts.include_classes]
        return ~torch.isin(label, torch.tensor(usual, device=label.device))

    def artifacts(
        self, nets: Nets, sample: Batch, held_out: Iterable[Batch]
    ) -> Mapping[str, Picture]:
        scores: list[tuple[Tensor, Tensor]] = []
        coded = self._coded(nets, held_out, scores)
        pictures = {
            "reconstructions": self._reconstructions(nets, sample["image"][:COLUMNS]),
            "plane": latent_plane(coded, self.facts.classes),
        }
        if self.options.use == "anomaly":
            for _ in coded:  # the scores are those of all
                pass
            pictures |= detection(*(torch.cat(column) for column in zip(*scores, strict=True)))
        return pictures

    def _coded(
        self, nets: Nets, held_out: Iterable[Batch], scores: list[tuple[Tensor, Tensor]]
    ) -> Iterator[tuple[Tensor, Batch]]:
        """The codes of each batch; of anomalies also, into `scores`, its errors and which are."""
        for batch in held_out:
            code, decoded = nets["model"](self.given(batch["image"]))
            if self.options.use == "anomaly":
                anomalous = self._anomalous(batch["label"])
                scores.append((errors(decoded, batch["image"]).cpu(), anomalous.cpu()))
            yield code, batch

    def _reconstructions(self, nets: Nets, image: Tensor) -> Picture:
        given = self.given(image)
        _, decoded = nets["model"](given)
        if self.options.use == "denoise":
            noise = f"{self.options.noise.replace('_', ' ')} noise, {self.options.noise_level:g}"
            rows = ["noisy", "cleaned", "original"]
            return grid(torch.cat([given, decoded, image]), COLUMNS, noise.capitalize(), rows=rows)
        caption, rows = "Reconstructions", ["original", "decoded"]
        return grid(torch.cat([image, decoded]), COLUMNS, caption, rows=rows)

    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """Gaussian noise, which is to be removed, is not cut off at 0 and 1."""
        it = self.options
        beyond = FARTHEST * it.noise_level if (it.use, it.noise) == ("denoise", "gaussian") else 0
        return {"image": (-beyond, 1 + beyond)}

    def predict(self, nets: Nets, batch: Batch) -> Mapping[str, Tensor]:
        """The code, what is decoded of it, and the error: of an image that is noisy already, how
        much was taken for noise."""
        code, decoded = nets["model"](batch["image"])
        return {
            "reconstruction": decoded,
            "code": code,
            "error": errors(decoded, batch["image"]),
        }


def errors(decoded: Tensor, image: Tensor) -> Tensor:
    """The squared error of each image (B, C, H, W), the mean over its pixels: (B,)."""
    return ((decoded - image) ** 2).flatten(1).mean(dim=1)


def _psnr() -> Metric:
    torchvision()  # which torchmetrics imports
    from torchmetrics.image import PeakSignalNoiseRatio

    return PeakSignalNoiseRatio(data_range=1.0)


def _gain() -> Metric:
    """Of what is left of each image's error, and of that error, which is its weight: the sums'
    ratio in dB."""
    torchvision()
    from torchmetrics import MeanMetric
    from torchmetrics.metric import CompositionalMetric

    return CompositionalMetric(_decibels, MeanMetric(), None)


def _decibels(ratio: Tensor) -> Tensor:
    return -10 * ratio.log10()


def _auroc() -> Metric:
    torchvision()
    from torchmetrics.classification import BinaryAUROC

    return BinaryAUROC(validate_args=False)
