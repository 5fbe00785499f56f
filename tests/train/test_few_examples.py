"""Five examples and fewer are trained on, tested and drawn, whatever the architecture."""

import csv
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hpc_dl.train.evaluate import evaluating
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import SHARED
from tests.support import every_architecture, ranks
from tests.support.markers import nightly
from tests.support.running import events, new_run

OFTEN = [
    "autoencoder",
    "cnn, mixup",
    "diffusion",
    "gan",
    "gnn",
    "gnn, graphs",
    "lstm, forecast",
    "lstm, music",
    "rnn, recordings",
    "rnn, text",
    "lstm, tags",
    "transformer, reviews",
    "transformer, translation",
    "lstm, video",
    "vae",
]
"""Whose pictures are drawn in CI, too."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [it if it in OFTEN else nightly(it) for it in every_architecture.JOBS]
)
def test_pictures_are_drawn_of_few_examples_and_of_weights_that_are_no_numbers(name, tmp_path):
    world = World(0, 1, torch.device("cpu"))
    engine, batches = every_architecture.engine_of(name, tmp_path, world)
    nets, batch = engine.evaluation_nets, next(iter(batches.steps(0)))[0]
    with warnings.catch_warnings(), evaluating(nets), torch.no_grad():
        warnings.simplefilter("error")
        for weight in (None, float("nan")):
            for net in nets.values():
                for parameter in net.parameters():
                    parameter.fill_(weight) if weight else None
            for count in (1, 2, 3, 5):
                few = {key: it if key in SHARED else it[:count] for key, it in batch.items()}
                assert engine.architecture.artifacts(nets, few, [few])


GRAPHS = """
import torch
from torch_geometric.data import Data


def make(nodes: bool):
    torch.manual_seed(0)
    edge = torch.tensor([[0, 1, 2, 0], [1, 2, 0, 0]])
    if nodes:
        return Data(x=torch.rand(5, 4), edge_index=edge, y=torch.arange(5) % 2)
    return [Data(torch.rand(3, 4), edge, y=torch.tensor([number % 2])) for number in range(5)]
"""


def five(kind: str, folder: Path) -> dict[str, Any]:
    """Write a data set of five examples; return the options of its source."""
    folder.mkdir()
    random = np.random.default_rng(0)
    if kind == "text":
        (folder / "five.txt").write_text("to be or not to be $a_$ b\n" * 2)
        return {"name": "text", "path": str(folder / "five.txt"), "length": 9}
    if kind in ("graphs", "nodes"):
        (folder / "own.py").write_text(GRAPHS)
        return {"name": "own.py:make", "nodes": kind == "nodes"}
    if kind in ("classes", "numbers"):
        classify = kind == "classes"
        with (folder / "five.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["$a_$", "_b", "y"])
            for number in range(5):
                target = ("$10_$20", "_c")[number % 2] if classify else random.random()
                writer.writerow([*random.random(2), target])
        more = {} if classify else {"task": "regress"}
        return {"name": "csv", "path": str(folder / "five.csv"), "target": "y", **more}
    shape = (5, 8, 8) if kind == "image" else (5, 6, 3)
    np.savez(folder / "five.npz", x=random.random(shape), y=np.arange(5) % 2)
    return {"name": "npz", "path": str(folder / "five.npz"), "kind": kind}


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("autoencoder", "image", {"hidden": [8], "channels": [4]}),
        nightly("autoencoder", "image", {"hidden": [8], "channels": [4], "use": "denoise"}),
        ("cnn", "image", {"channels": [4], "norm": "batch"}),
        nightly("diffusion", "image", {"width": 8, "blocks": 1, "steps": 10, "sampling_steps": 2}),
        nightly("ffnn", "classes", {"hidden": [8]}),
        ("ffnn", "numbers", {"hidden": [8]}),
        ("gan", "image", {"channels": [4], "latent_dim": 4}),
        nightly("gnn", "graphs", {"hidden": 8}),
        ("gnn", "nodes", {"hidden": 8}),
        nightly("lstm", "sequence", {"hidden": 8}),
        ("lstm", "text", {"hidden": 8}),
        nightly("airbench", "image", {"channels": [4]}),
        nightly("resnet", "image", {"width": 4}),
        nightly("rnn", "text", {"hidden": 8}),
        nightly("torchvision:shufflenet_v2_x0_5", "image", {"size": 32}),
        nightly("transformer", "sequence", {"width": 8, "depth": 1, "heads": 2}),
        ("vae", "image", {"hidden": [8], "channels": [4], "conditional": True}),
    ],
)
def test_five_examples_are_trained_on_tested_drawn_and_exported(name, kind, options, tmp_path):
    data = five(kind, tmp_path / "code")
    sections = {"model": {"name": name, **options}, "data": data, "train": {"epochs": 2}}
    run = new_run(tmp_path, tmp_path / "code", **sections)
    with ranks.ended(ranks.start(run, drawing=True)) as (process,):
        process.join(100)
    assert [it["state"] for it in events(run, "state")][-1] == "completed"
    assert events(run, "warning") == []
    assert events(run, "artifact")
    assert (run.export / "model.json").exists()
