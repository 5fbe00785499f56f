"""Example of a user's architecture: an autoencoder, and a probe that predicts the class from its
code. Two players: the probe learns from the code, which gets no gradient of it.

hpcdl submit jobs/own.yaml
"""

import math

import torch
from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt
from torch import nn

from hpc_dl.tasks.pictures.grids import grid
from hpc_dl.zoo.contract import Architecture, Loss, MonitoredMetric


class Probed(Architecture):
    players = ("autoencoder", "probe")  # each with a network and an optimizer of its own

    class Options(BaseModel):  # options in `model`, checked at submission; any, without it
        code: PositiveInt = Field(8, description="dimensions of the code")
        probe_from: NonNegativeInt = Field(20, description="the first step that trains the probe")

    def networks(self):  # self.facts are the data's, self.options are the job spec's
        pixels, code = math.prod(self.facts.shape), self.options.code
        down = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 64), nn.ReLU(), nn.Linear(64, code))
        up = nn.Sequential(nn.Linear(code, 64), nn.ReLU(), nn.Linear(64, pixels), nn.Sigmoid())
        return {"autoencoder": Both(down, up), "probe": nn.Linear(code, len(self.facts.classes))}

    def updates(self, step):  # the players that are updated in this step, in order; all by default
        return self.players if step >= self.options.probe_from else ("autoencoder",)

    def loss(self, nets, batch, player):  # a SUM over `count` examples, however they are divided
        code, decoded = nets["autoencoder"](batch["image"])
        if player == "probe":
            return self.task.loss(nets["probe"](code.detach()), batch)
        error = (decoded - batch["image"].flatten(1)).square().sum()
        return Loss(error, len(code), logs={"size_of_code": code.detach().norm(dim=1).sum()})

    def measure(self, nets, batch):  # on held-out data, over all ranks; `loss` is among them
        code, decoded = nets["autoencoder"](batch["image"])
        error = (decoded - batch["image"].flatten(1)).square().sum()
        of_probe = self.task.measure(nets["probe"](code), batch)  # accuracy, macro F1 ...
        return {**of_probe, "loss": Loss(error, len(code))}

    monitored = MonitoredMetric("accuracy", "max")  # by which the best checkpoint is kept

    def artifacts(self, nets, sample, held_out):  # pictures for MLflow and the run folder
        decoded = nets["autoencoder"](sample["image"])[1].view_as(sample["image"])
        pairs = torch.cat([sample["image"][:8], decoded[:8]])
        return {"pairs": grid(pairs, 8, "Reconstructions", rows=["original", "decoded"])}

    def predict(self, nets, batch):  # what `hpc_dl.predictor` and MLflow give a user
        code, _ = nets["autoencoder"](batch["image"])
        return {"code": code, **self.task.predict(nets["probe"](code))}


class Both(nn.Module):
    """Encoder and decoder as one network: within one loss a player's network is called once."""

    def __init__(self, down, up):
        super().__init__()
        self.down, self.up = down, up

    def forward(self, image):
        code = self.down(image)
        return code, self.up(code)
