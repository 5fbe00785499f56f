"""Targets: the test metrics that each recipe has to reach on real data, and the seeds."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hpc_dl.errors import UserError

MNIST = "data.name=mnist"
_MULTI30K = (
    "data.name=multi30k",
    "data.vocabulary=4000",
    "data.batch_size=128",
    "train.label_smoothing=0.1",
    "checkpoint.monitor=bleu",
)
CLASSIFIER = "model.classifier=EXPORT"
"""The option with the classifier's export, as a command shows it."""


@dataclass(frozen=True)
class Check:
    """A metric and the goal for its mean over the seeds; None only records it."""

    metric: str
    goal: float | None = None
    at: Literal["least", "most"] = "least"
    goal_from: str | None = None
    """A recipe whose mean of this metric is the goal instead."""
    baselines: tuple[str, ...] = ()
    """Metrics of the same runs, `times` whose means are goals as well; the strictest one counts."""
    times: float = 1.0

    @property
    def described_goals(self) -> tuple[str | float, ...]:
        """The goals as they are known before the training."""
        factor = "" if self.times == 1 else f"{self.times:g} "
        goals = (self.goal_from or self.goal, *(f"{factor}{it}" for it in self.baselines))
        return tuple(it for it in goals if it is not None)


@dataclass(frozen=True)
class Target:
    """A recipe, its overrides, and what its metrics have to reach."""

    name: str
    job: str
    overrides: tuple[str, ...]
    checks: tuple[Check, ...]
    seeds: int = 3
    cases: tuple[str, ...] = ()
    """Further overrides: one training with each; the mean over them counts."""
    classifier: str | None = None
    """The recipe whose network evaluates the generated images."""

    @property
    def command(self) -> str:
        """Return the command that trains it once."""
        words = [*self.overrides, *self.cases[:1], *([CLASSIFIER] if self.classifier else [])]
        quoted = (shlex.quote(it) if " " in it else it for it in words)
        return " ".join(["hpcdl submit", f"jobs/{self.job}.yaml", *quoted])


def _accuracy(name: str, goal: float, job: str = "", *words: str, seeds: int = 3) -> Target:
    checks = (Check("test/accuracy", goal),)
    return Target(name, job or name, words or (MNIST,), checks, seeds)


TARGETS: tuple[Target, ...] = (
    _accuracy("ffnn", 0.984, "ffnn", MNIST, "model.dropout=0.2"),
    _accuracy("cnn", 0.992),
    _accuracy("resnet", 0.994),
    _accuracy("rnn", 0.96),
    _accuracy("lstm", 0.985),
    _accuracy("transformer", 0.985),
    Target(
        "denoise",
        "autoencoder",
        (MNIST, "model.use=denoise", "model.noise_level=0.5"),
        (Check("test/psnr_gain", 8.0),),
    ),
    Target(
        "anomaly",
        "autoencoder",
        (MNIST, "model.use=anomaly"),
        (Check("test/auroc", 0.90),),
        seeds=1,
        cases=tuple(f"data.include_classes=[{digit}]" for digit in range(10)),
    ),
    _accuracy("video", 0.97, "video", "data.digits=mnist", seeds=1),
    Target(
        "vae",
        "vae",
        (MNIST, "data.binarize=true"),
        (Check("test/elbo", -95.0), Check("test/iw_bound")),
    ),
    _accuracy("gcn", 0.81, "gnn", "data.name=cora", seeds=10),
    _accuracy("gat", 0.82, "gnn", "data.name=cora", "model.layer=gat", seeds=10),
    _accuracy("sentiment", 0.76, "sentiment", "data.name=rotten_tomatoes"),
    Target(
        "dna",
        "dna",
        ("data.name=splice", "data.folds=10"),
        (Check("test/accuracy", 0.955),),
        seeds=1,
        cases=tuple(f"data.fold={fold}" for fold in range(10)),
    ),
    Target(
        "text",
        "text",
        (
            "data.name=tinyshakespeare",
            "data.length=100",
            "data.batch_size=50",
            "data.carry_state=true",
            "model.hidden=384",
            "model.dropout=0.2",
            "train.epochs=4",
            "train.optimizer.lr=4e-3",
        ),
        (
            Check("val/loss", 1.65, at="most"),
            Check("test/loss"),
            Check("test/bits_per_character"),
        ),
        seeds=1,
    ),
    Target(
        "music",
        "music",
        (
            "data.name=jsb_chorales",
            "data.augment.transpose=5",
            "data.batch_size=4",
            "model.hidden=400",
            "train.epochs=120",
            "train.optimizer.lr=3e-3",
        ),
        (Check("test/loss", 8.45, at="most"), Check("test/note_accuracy")),
    ),
    Target(
        "translation",
        "translation",
        (
            *_MULTI30K,
            "model.hidden=256",
            "model.dropout=0.3",
            "train.epochs=9",
            "train.optimizer.lr=2e-3",
        ),
        (Check("test/bleu_beam", 28.0), Check("test/bleu")),
        seeds=1,
    ),
    Target(
        "translation-transformer",
        "translation",
        (
            *_MULTI30K,
            "model={name: transformer, width: 128, depth: 3, feedforward: 384, dropout: 0.15}",
            "train.epochs=16",
            "train.optimizer={name: adamw, lr: 2e-3, betas: [0.9, 0.98]}",
            "train.schedule.warmup_steps=400",
        ),
        (Check("test/bleu_beam", 33.0), Check("test/bleu")),
        seeds=1,
    ),
    Target(
        "gan",
        "gan",
        (MNIST,),
        (Check("test/rarest_class", 0.05), Check("test/frechet")),
        classifier="cnn",
    ),
    Target(
        "diffusion",
        "diffusion",
        (MNIST,),
        (
            Check("test/rarest_class", 0.05),
            Check("test/frechet", at="most", goal_from="gan"),
        ),
        seeds=2,
        classifier="cnn",
    ),
    _accuracy("speech", 0.97, "speech", "data.name=fsdd"),
    Target(
        "ner",
        "ner",
        ("data.name=wnut17",),
        (Check("test/f1", 0.15, baselines=("test/f1_dictionary",), times=2.0),),
    ),
    Target(
        "forecast",
        "forecast",
        (),
        (
            Check("test/mae", at="most", baselines=("test/mae_naive", "test/mae_seasonal_naive")),
            Check("test/coverage"),
        ),
    ),
    Target("cifar10", "cifar10", (), (Check("test/accuracy", 0.94),)),
)
"""A classifier stands before the recipes that it evaluates."""


def choose(names: Sequence[str]) -> list[Target]:
    """Return the targets with these names, of a job file whose name is no target's all of its
    targets, and all without names. Raises UserError."""
    targets, jobs = {target.name for target in TARGETS}, {target.job for target in TARGETS}
    for name in names:
        if name not in targets | jobs:
            near = difflib.get_close_matches(name, targets | jobs, n=1, cutoff=0.5)
            guess = f"Did you mean '{near[0]}'? " if near else ""
            raise UserError(
                f"there is no recipe '{name}' to verify",
                hint=f"{guess}There are: {', '.join(target.name for target in TARGETS)}.",
            )
    chosen = {*names, *(it.name for it in TARGETS if it.job in set(names) - targets)}
    return [it for it in TARGETS if not names or it.name in chosen]


def find(name: str) -> Target:
    """Return the target of this name."""
    return next(target for target in TARGETS if target.name == name)
