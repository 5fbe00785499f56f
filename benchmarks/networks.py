"""The networks by hand, of torch's own modules; their parameters are in the order of hpcdl's."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.nn import GCNConv


def ffnn(*widths: int) -> nn.Module:
    """Return dense layers with ReLU between them, of flattened images."""
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def large() -> nn.Module:
    return ffnn(784, 512, 512, 10)


def small() -> nn.Module:
    return ffnn(784, 32, 32, 10)


def cnn() -> nn.Module:
    """Return two convolutions with pooling, and two dense layers."""
    layers: list[nn.Module] = []
    for before, after in ((1, 32), (32, 64)):
        layers += [nn.Conv2d(before, after, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2)]
    dense = [nn.Linear(64 * 7 * 7, 128), nn.ReLU(), nn.Dropout(0.25), nn.Linear(128, 10)]
    return nn.Sequential(*layers, nn.Flatten(), *dense)


def of_pictures() -> nn.Module:
    """Return the same for pictures of 160 x 160 in colour, with few channels."""
    layers: list[nn.Module] = []
    for before, after in ((3, 8), (8, 8)):
        layers += [nn.Conv2d(before, after, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * 40 * 40, 2))


class OfRows(nn.Module):
    """LSTM over the rows of an image, and a dense layer of its last state."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.drop, self.head = nn.LSTM(28, 128), nn.Dropout(0.1), nn.Linear(128, 10)

    def forward(self, image: Tensor) -> Tensor:
        states, _ = self.lstm(image[:, 0].transpose(0, 1))
        logits: Tensor = self.head(self.drop(states[-1]))
        return logits


class OfPatches(nn.Module):
    """Vision transformer: patches of 4 x 4 by two convolutions, four layers, a mean."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.empty(49, 64))
        first = [nn.Conv2d(1, 32, 3, stride=2, padding=1), nn.GELU()]
        self.patches = nn.Sequential(*first, nn.Conv2d(32, 64, 3, stride=2, padding=1))
        layer = nn.TransformerEncoderLayer(
            64, 4, 128, 0.0, activation="gelu", batch_first=True, norm_first=True
        )
        norm = nn.LayerNorm(64)
        self.layers = nn.TransformerEncoder(layer, 4, norm, enable_nested_tensor=False)
        self.head = nn.Linear(64, 10)

    def forward(self, image: Tensor) -> Tensor:
        patches = self.patches(image).flatten(2).transpose(1, 2) + self.place
        logits: Tensor = self.head(self.layers(patches).mean(dim=1))
        return logits


class OfCharacters(nn.Module):
    """LSTM that predicts each next character."""

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(characters, 128), nn.LSTM(128, 128)
        self.drop, self.head = nn.Dropout(0.1), nn.Linear(128, characters)

    def forward(self, text: Tensor) -> Tensor:
        states, _ = self.lstm(self.embedding(text).transpose(0, 1))
        logits: Tensor = self.head(self.drop(states)).transpose(0, 1)
        return logits


class Variational(nn.Module):
    """Convolutional variational autoencoder of 28 x 28 pixels, with 32 codes."""

    def __init__(self) -> None:
        super().__init__()
        half = [nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.GELU()]
        half += [nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.GELU(), nn.Flatten()]
        self.encoder = nn.Sequential(*half, nn.Linear(1568, 256), nn.GELU(), nn.Linear(256, 64))
        self.decoder = nn.Sequential(
            nn.Linear(32, 256),
            nn.GELU(),
            nn.Linear(256, 1568),
            nn.Unflatten(1, (32, 7, 7)),
            nn.GELU(),
            nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1),
            nn.GELU(),
            nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
        )

    def loss(self, image: Tensor) -> Tensor:
        """Return the negative evidence lower bound, the mean over the images."""
        mean, log_std = self.encoder(image).chunk(2, dim=1)
        std = log_std.exp()
        decoded = self.decoder(mean + std * torch.randn_like(mean))
        nats = F.binary_cross_entropy_with_logits(decoded, image, reduction="sum")
        kl = 0.5 * (mean**2 + std**2 - 1 - 2 * log_std).sum()
        return (nats + kl) / len(image)


def critic() -> nn.Module:
    """Return DCGAN's critic of 28 x 28 pixels in [-1, 1]."""
    layers: list[nn.Module] = []
    for before, after in ((1, 32), (32, 64)):
        layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 7 * 7, 1), nn.Flatten(0))


def generator() -> nn.Module:
    """Return DCGAN's generator of 64 codes, with layer norm, to pixels in [0, 1]."""
    layers: list[nn.Module] = [nn.Linear(64, 3136), nn.Unflatten(1, (64, 7, 7))]
    for before, after in ((64, 32), (32, 1)):
        layers += [nn.GroupNorm(1, before), nn.ReLU()]
        layers += [nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)]
    return nn.Sequential(*layers, nn.Sigmoid())


class OfNodes(nn.Module):
    """Two layers of graph convolution, of one graph: its normalised edges are kept."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.first = GCNConv(features, 64, cached=True)
        self.second = GCNConv(64, classes, cached=True)

    def forward(self, node: Tensor, edge: Tensor) -> Tensor:
        hidden = F.elu(self.first(F.dropout(node, 0.6, self.training), edge))
        logits: Tensor = self.second(F.dropout(hidden, 0.6, self.training), edge)
        return logits


CLASSIFIERS = {
    "ffnn": large,
    "ffnn-2-threads": large,
    "ranks": large,
    "small": small,
    "cnn": cnn,
    "lstm": OfRows,
    "transformer": OfPatches,
}
"""By workload, what makes a network of images, (B, 1, 28, 28) in [0, 1], to logits."""
