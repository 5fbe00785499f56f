"""Workloads: what is trained, by whom, and what is to be reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

HAND, HPCDL = "hand", "hpcdl"
EVALUATION = "evaluation"
"""What is measured beside the workloads: see `benchmarks.evaluation`."""
CONTENDERS = {
    HPCDL: "hpcdl, everything on",
    HAND: "by hand",
    "workshop": "DataLoader, loss.item()",
    "accelerate": "accelerate",
    "fabric": "Lightning Fabric",
    "lightning": "Lightning Trainer",
    "transformers": "Hugging Face Trainer",
}
"""What stands in the tables, by name."""
ALL = tuple(CONTENDERS)
ADAMW = {"name": "adamw", "lr": 1e-3}


@dataclass(frozen=True)
class Workload:
    """A training, as a job spec, and its contenders."""

    name: str
    title: str
    steps: int
    """In a turn."""
    goal: float
    """The most that hpcdl's step is to take, as a share of the step by hand."""
    model: Mapping[str, Any]
    data: Mapping[str, Any]
    train: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 1
    ranks: int = 1
    contenders: tuple[str, ...] = (HPCDL, HAND)
    agreement: float = 0.001
    """The largest relative difference of the first losses: more where random numbers are drawn."""

    def job(self, steps: int = 10**7) -> dict[str, Any]:
        """Return the job spec; a benchmark ends the training long before so many steps."""
        return {
            "name": self.name,
            "model": dict(self.model),
            "data": dict(self.data),
            "train": {"steps": steps, "optimizer": ADAMW, **self.train},
            "resources": {"cpus_per_task": self.threads, "tasks_per_node": self.ranks},
        }


def _mnist(batch_size: int) -> dict[str, Any]:
    return {"name": "mnist", "batch_size": batch_size}


FFNN = {"name": "ffnn", "hidden": [512, 512]}
FINE = {"log_every": 10}
"""Of slow steps, so that a turn need not be long."""
WORKLOADS = [
    Workload(
        "ffnn", "784-512-512-10, batch 64, 1 thread", 150, 1.02, FFNN, _mnist(64), contenders=ALL
    ),
    Workload(
        "ffnn-2-threads",
        "784-512-512-10, batch 64, 2 threads",
        200,
        1.02,
        FFNN,
        _mnist(64),
        threads=2,
        contenders=ALL,
    ),
    Workload(
        "small",
        "784-32-32-10, batch 128, 1 thread",
        500,
        1.0,
        {"name": "ffnn", "hidden": [32, 32]},
        _mnist(128),
        contenders=ALL,
    ),
    Workload(
        "cnn",
        "cnn of jobs/cnn.yaml, MNIST",
        10,
        1.03,
        {"name": "cnn"},
        _mnist(128),
        FINE,
        contenders=ALL,
        agreement=0.1,
    ),
    Workload(
        "lstm",
        "lstm of jobs/lstm.yaml, MNIST",
        30,
        1.03,
        {"name": "lstm"},
        _mnist(128),
        {"clip_norm": 1.0, **FINE},
        contenders=ALL,
        agreement=0.05,
    ),
    Workload(
        "transformer",
        "transformer of jobs/transformer.yaml, MNIST",
        10,
        1.03,
        {"name": "transformer", "dropout": 0.0},
        _mnist(64),
        {"clip_norm": 1.0, **FINE},
        contenders=ALL,
    ),
    Workload(
        "vae",
        "vae of jobs/vae.yaml, MNIST",
        15,
        1.03,
        {"name": "vae"},
        _mnist(128),
        {"ema_decay": 0.999, **FINE},
        agreement=0.02,
    ),
    Workload(
        "gan",
        "gan of jobs/gan.yaml, MNIST",
        10,
        1.03,
        {"name": "gan"},
        _mnist(64),
        {
            "optimizer": {"name": "adam", "lr": 5e-4, "betas": [0.5, 0.999]},
            "ema_decay": 0.999,
            **FINE,
        },
        agreement=0.05,
    ),
    Workload(
        "gnn",
        "gnn of jobs/gnn.yaml, Cora",
        10,
        1.03,
        {"name": "gnn", "normalise": True},
        {"name": "cora", "batch_size": 1024},
        {"optimizer": {"name": "adam", "lr": 5e-3, "weight_decay": 5e-4}},
        agreement=0.02,
    ),
    Workload(
        "text",
        "character LSTM of jobs/text.yaml, Tiny Shakespeare",
        75,
        1.03,
        {"name": "lstm"},
        {"name": "tinyshakespeare", "length": 64, "batch_size": 16},
        {"optimizer": {"name": "adamw", "lr": 5e-3}, "clip_norm": 1.0, **FINE},
        contenders=ALL,
        agreement=0.02,
    ),
    Workload(
        "ranks",
        "784-512-512-10, batch 128, 2 ranks by gloo, beside DDP",
        100,
        1.03,
        FFNN,
        _mnist(128),
        ranks=2,
        agreement=0.05,  # DDP knows the loss of its own half
    ),
    Workload(
        "pictures",
        "JPEG files of 160 x 160, 2 workers, beside a DataLoader with 2",
        10,
        1.0,
        {"name": "cnn", "channels": [8, 8], "hidden": [], "dropout": 0.0},
        {
            "name": "image_folder",
            "size": [160, 160],
            "batch_size": 64,
            "loading": "streaming",
            "workers": 2,
        },
        FINE,
    ),
]
