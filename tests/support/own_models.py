"""Users' networks for tests: a slow one, and some that fail in various ways."""

from pathlib import Path

OWN = '''
import dataclasses
import math
import os
import signal
import threading
import time
from pathlib import Path

import torch
from torch import nn

from hpc_dl.zoo.architectures.ffnn import FeedForward

RANK = int(os.environ.get("SLURM_PROCID", os.environ.get("SUBMITIT_LOCAL_GLOBALID", "0")))


class Own(FeedForward):
    def networks(self):
        layer = nn.Linear(math.prod(self.facts.shape), len(self.facts.classes))
        return {"model": nn.Sequential(nn.Flatten(), layer)}


class Slow(Own):
    """Sleeps `pace` seconds in each step, or 0.02."""

    def loss(self, nets, batch, player):
        time.sleep(getattr(self.options, "pace", 0.02))
        return super().loss(nets, batch, player)


class Flushed(Own):
    """Raises an error unless denormal numbers count as 0."""

    def loss(self, nets, batch, player):
        assert (torch.tensor(1e-30) * 1e-10).item() == 0
        return super().loss(nets, batch, player)


class Poisoned(Own):
    """The loss of the samples `bad` is infinite."""

    def loss(self, nets, batch, player):
        loss = super().loss(nets, batch, player)
        bad = torch.isin(batch["index"], torch.tensor(self.options.bad))
        return dataclasses.replace(loss, total=loss.total + (math.inf if bad.any() else 0))


class Broken(Own):
    """The loss is NaN: in the first two batches with sample 100, or always."""

    times = 0

    def loss(self, nets, batch, player):
        loss = super().loss(nets, batch, player)
        broken = self.options.always or (batch["index"] == 100).any()
        Broken.times += bool(broken)
        broken = broken and (self.options.always or Broken.times <= 3)
        return dataclasses.replace(loss, total=loss.total * math.nan if broken else loss.total)


class Hanging(Own):
    """Rank `rank` hangs in call `at` of the loss, of a job's first attempt; in the first, FLOPs are
    counted."""

    times = 0

    def loss(self, nets, batch, player):
        Hanging.times += 1
        first = "SLURM_RESTART_COUNT" not in os.environ
        if first and RANK == self.options.rank and Hanging.times == self.options.at:
            threading.Event().wait()
        return super().loss(nets, batch, player)


class HangingInTheTest(Own):
    """Hangs in the first batch of the test."""

    def test(self, nets, batch):
        threading.Event().wait()


class Hungry(Own):
    """Takes `mib` per example in the forward and in the backward pass; has `weights` MiB."""

    def networks(self):
        network = super().networks()["model"]
        network.register_parameter("large", nn.Parameter(torch.zeros(self.options.weights, 2**18)))
        return {"model": network}

    def loss(self, nets, batch, player):
        loss = super().loss(nets, batch, player)
        much = torch.ones(len(batch["image"]), self.options.mib, 2**18)
        large = nets["model"].large.mean() if self.options.weights else 0
        return dataclasses.replace(loss, total=loss.total + (much * loss.total).mean() + large)


class Backward(torch.autograd.Function):
    """The backward pass of more than `fits` examples runs out of memory."""

    @staticmethod
    def forward(ctx, hidden, fits):
        ctx.too_many = len(hidden) > fits
        return hidden.clone()

    @staticmethod
    def backward(ctx, gradient):
        if ctx.too_many:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.00 GiB. GPU 0")
        return gradient, None


class Narrow(nn.Module):
    """Memory runs out here from the third step on: two passes settle in."""

    times = 0

    def __init__(self, fits):
        super().__init__()
        self.fits = fits

    def forward(self, hidden):
        Narrow.times += self.training
        return Backward.apply(hidden, self.fits) if Narrow.times > 4 else hidden


class Tight(Own):
    """Memory runs out with more than `fits` examples, in the backward pass or in the evaluation."""

    def networks(self):
        flatten, layer = super().networks()["model"]
        width = layer.in_features
        fits = self.options.fits if self.options.where == "backward" else math.inf
        return {"model": nn.Sequential(flatten, nn.Linear(width, width), Narrow(fits), layer)}

    def measure(self, nets, batch):
        if self.options.where == "measure" and len(batch["index"]) > self.options.fits:
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`")
        return super().measure(nets, batch)


class Fragile(Own):
    """Trains, and then fails in what `where` says, on rank `rank` alone; says what is there."""

    def fail(self, where):
        if where == self.options.where and RANK == self.options.rank:
            exported = (Path(__file__).parents[1] / "export" / "model.json").exists()
            kind = torch.OutOfMemoryError if self.options.memory else ValueError
            raise kind(f"exported before: {exported}")

    def test(self, nets, batch):
        self.fail("test")
        return super().test(nets, batch)

    def predict(self, nets, batch):
        if len(batch["image"]) > 2:
            self.fail("predict")
        return super().predict(nets, batch)

    def artifacts(self, nets, sample, held_out):
        self.fail("artifacts")
        pictures = dict(super().artifacts(nets, sample, held_out))
        if self.options.where == "picture":
            pictures["confusion"] = None
        return pictures


class Failing(Own):
    def loss(self, nets, batch, player):
        raise RuntimeError("the loss exploded")


class FailingOnRank1(Slow):
    def loss(self, nets, batch, player):
        if RANK == 1:
            raise RuntimeError("the loss exploded")
        return super().loss(nets, batch, player)


class KilledOnRank1(Slow):
    def loss(self, nets, batch, player):
        if RANK == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().loss(nets, batch, player)
'''


def own_models(base: Path) -> Path:
    """Write `own.py` into `base` and return the folder."""
    base.mkdir(parents=True, exist_ok=True)
    (base / "own.py").write_text(OWN)
    return base


def line_of(text: str) -> int:
    """Return the number of the first line of `own.py` with this text."""
    return next(number for number, line in enumerate(OWN.splitlines(), 1) if text in line)
