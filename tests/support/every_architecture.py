"""Every architecture with a small network, and what is special in the data and the options: its
engine and its batches, wherever they are."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from hpc_dl.data.dataset import Splits, divide
from hpc_dl.data.graphs import geometric
from hpc_dl.data.splits.counts import Holdout
from hpc_dl.train import build
from hpc_dl.train.world import World
from tests.support import steps
from tests.support.pictures import folder_of_pictures
from tests.support.recordings import folder_of_recordings

KARATE = {"name": "karate"}
GRAPHS = {"name": "karate", "batch_size": 9}
"""Stands for many graphs in the place of one."""
TEXT = {"name": "text", "length": 9}
REVIEWS = {"name": "synthetic_reviews", "longest": 12}
SPEECH = {"name": "synthetic_vowels", "examples": 60}
MUSIC = {"name": "synthetic_music", "pieces": 20, "length": 9}
PAIRS = {"name": "synthetic_translation", "examples": 40}
TAGS = {"name": "synthetic_entities", "examples": 40}
CLIPS = {"name": "synthetic_moving_digits", "clips": 80, "frames": 3, "side": 28}
JOBS: dict[str, dict[str, Any]] = {
    "airbench": {
        "model": {"channels": [4, 8], "mirror": True},
        "data": {"augment": {"flip": "alternate"}},
        "train": {"optimizer": {"name": "muon"}, "clip_norm": 1.0, "ema_decay": 0.9},
    },
    "autoencoder": {"model": {"hidden": [8], "channels": [4]}},
    "autoencoder, salt": {
        "model": {
            "hidden": [8],
            "norm": "batch",
            "use": "denoise",
            "noise": "salt_and_pepper",
        },
    },
    "cnn": {"model": {"channels": [4], "norm": "batch"}, "train": {"ema_decay": 0.9}},
    "cnn, mixup": {
        "model": {"channels": [4]},
        "data": {"augment": {"crop": 1, "flip": True, "rotation": 9, "noise": 0.1, "mixup": 0.2}},
        "train": {"class_weights": "balanced", "label_smoothing": 0.1},
    },
    "cnn, recordings": {"model": {"channels": [4], "hidden": [8]}, "data": SPEECH},
    "cnn, streamed": {"model": {"channels": [4]}, "data": "pictures"},
    "diffusion": {"model": {"width": 8, "blocks": 1, "steps": 10, "sampling_steps": 2}},
    "ffnn": {"model": {"hidden": [8], "dropout": 0.5}, "train": {"clip_norm": 1.0}},
    "ffnn, residual": {"model": {"hidden": [8, 8], "norm": "group", "residual": True}},
    "ffnn, accumulated": {"model": {"hidden": [8]}, "train": {"micro_batch": 4}},
    "gan": {"model": {"channels": [4], "latent_dim": 4}},
    "gan, penalty": {"model": {"channels": [4], "latent_dim": 4, "loss": "wasserstein-gp"}},
    "gnn": {"model": {"hidden": 8}, "data": KARATE},
    "gnn, gat": {"model": {"hidden": 8, "layer": "gat"}, "data": KARATE},
    "gnn, sage": {
        "model": {"hidden": 8, "layer": "sage", "norm": "group", "residual": True},
        "data": KARATE,
    },
    "gnn, graphs": {"model": {"hidden": 8}, "data": GRAPHS},
    "gnn, graphs, gat": {"model": {"hidden": 8, "layer": "gat"}, "data": GRAPHS},
    "gnn, graphs, gin": {"model": {"hidden": 8, "layer": "gin"}, "data": GRAPHS},
    "lstm": {"model": {"hidden": 8, "layers": 2, "dropout": 0.5}},
    "lstm, forecast": {"model": {"hidden": 8, "dropout": 0.5}, "data": {"name": "series"}},
    "lstm, music": {
        "model": {"hidden": 8, "dropout": 0.5},
        "data": {**MUSIC, "carry_state": True},
    },
    "cnn, dna": {"model": {"channels": [4]}, "data": {"name": "synthetic_dna"}},
    "cnn, reviews": {
        "model": {"channels": [4], "embedding": 4, "residual": True},
        "data": REVIEWS,
    },
    "lstm, reviews": {
        "model": {"hidden": 8, "dropout": 0.5, "bidirectional": True, "pooling": "max"},
        "data": REVIEWS,
    },
    "transformer, reviews": {"model": {"width": 8, "depth": 1, "heads": 2}, "data": REVIEWS},
    "rnn, reviews": {"model": {"hidden": 8}, "data": REVIEWS},
    "lstm, recordings": {
        "model": {"hidden": 8, "dropout": 0.5, "pooling": "mean"},
        "data": "recordings",
    },
    "lstm, text": {"model": {"hidden": 8, "dropout": 0.5}, "data": {**TEXT, "carry_state": True}},
    "lstm, gru, music": {
        "model": {"hidden": 8, "cell": "gru"},
        "data": {**MUSIC, "carry_state": True},
    },
    "lstm, gru, translation": {
        "model": {"hidden": 8, "cell": "gru", "bidirectional": True},
        "data": PAIRS,
    },
    "lstm, translation": {
        "model": {"hidden": 8, "layers": 2, "bidirectional": True, "dropout": 0.5},
        "data": PAIRS,
        "train": {"label_smoothing": 0.1},
    },
    "rnn, translation": {"model": {"hidden": 8, "dropout": 0.5}, "data": PAIRS},
    "transformer, translation": {
        "model": {"width": 8, "depth": 1, "heads": 2},
        "data": {**PAIRS, "by_length": False},
    },
    "lstm, tags": {
        "model": {"hidden": 8, "bidirectional": True, "dropout": 0.5, "crf": True},
        "data": TAGS,
    },
    "lstm, video": {"model": {"hidden": 8, "frames": {"channels": [4, 4]}}, "data": CLIPS},
    "resnet": {"model": {"width": 4}},
    "rnn": {"model": {"hidden": 8}},
    "torchvision:shufflenet_v2_x0_5": {"model": {"size": 32}},
    "transformer": {"model": {"width": 8, "depth": 1, "heads": 2}},
    "transformer, music": {
        "model": {"width": 8, "depth": 1, "heads": 2},
        "data": {**MUSIC, "augment": {"transpose": 3}},
    },
    "rnn, text": {"model": {"hidden": 8}, "data": {**TEXT, "carry_state": True}},
    "rnn, recordings": {"model": {"hidden": 8}, "data": SPEECH},
    "transformer, recordings": {
        "model": {"width": 8, "depth": 1, "heads": 2, "log_mel": {"hop": 20}},
        "data": SPEECH,
    },
    "transformer, text": {"model": {"width": 8, "depth": 1, "heads": 2}, "data": TEXT},
    "vae": {"model": {"hidden": [8], "channels": [4], "conditional": True}},
    "vae, residual": {"model": {"hidden": [8], "norm": "group", "residual": True}},
}
"""By the name of the architecture, and what is special."""


def engine_of(name: str, code: Path, world: World) -> tuple[Any, Any]:
    """Return the engine of a job, and its batches on the device of `world`."""
    spec, plan, splits = _surroundings(name, code)
    engine = build.build_engine(spec, plan, splits, world, code, lambda _: steps.RATE)
    return engine, build.build_batches(spec, plan, splits.to(world.device), world, code)


@lru_cache(maxsize=1)
def _surroundings(name: str, code: Path) -> tuple[Any, ...]:
    """The spec, the plan and the splits of a job, whose engine may be built again at once."""
    job = JOBS[name]
    model, data = {"name": name.partition(",")[0], **job["model"]}, job.get("data", {})
    if data == "pictures":
        data = {"name": "image_folder", "root": str(pictures(code)), "size": [8, 8]}
    if data == "recordings":
        data = {"name": "audio_folder", "root": str(recordings(code)), "loading": "streaming"}
    spec = steps.job(model=model, data=data, train=job.get("train", {}))
    _, plan, splits, _, _ = steps.surroundings(spec, code)
    return spec, plan, graphs() if data is GRAPHS else splits


def pictures(code: Path) -> Path:
    """A folder of them, which is made once."""
    root = code / "pictures"
    return root if root.exists() else folder_of_pictures(root, 40)


def recordings(code: Path) -> Path:
    """A folder of them, which is made once."""
    root = code / "recordings"
    return root if root.exists() else folder_of_recordings(root, 20)


def graphs() -> Splits:
    """Graphs of all sizes, with a class each, and a node that is its own neighbour."""
    from torch_geometric.data import Data

    edge = torch.tensor([[0, 1, 2, 0], [1, 2, 0, 0]])
    random = torch.Generator().manual_seed(0)
    made = [
        Data(
            x=torch.rand(count, 34, generator=random),
            edge_index=edge,
            y=torch.tensor([count % 4]),
        )
        for count in range(3, 33)
    ]
    facts, given = geometric.from_graphs(made, "graphs", Holdout())
    return divide(given, facts, Holdout())
