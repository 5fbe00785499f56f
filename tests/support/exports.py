"""Exports of every architecture for tests: untrained, written as a run writes them."""

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from hpc_dl import zoo
from hpc_dl.jobspec.data import DataFacts, Feature
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.run.weights import Weights
from hpc_dl.train.export import write_export

SIZES = (8, 4, 4)
GREY = DataFacts.of("image", "classify", (1, 8, 8), ("cat", "dog", "owl"), *SIZES)
COLOUR = DataFacts.of("image", "classify", (3, 32, 32), ("cat", "dog", "owl"), *SIZES)
SEQUENCE = DataFacts.of("sequence", "classify", (7, 2), ("up", "down"), *SIZES)
TABLE = DataFacts.of("table", "regress", (5,), (), *SIZES, targets=("height",))
VIDEO = DataFacts(
    "video",
    "classify",
    {"video": Feature("float", (5, 1, 12, 16))},
    {"label": Feature("int", (), ("up", "down"))},
    *SIZES,
)
NODES = DataFacts.of("graph", "classify_nodes", (6,), ("a", "b"), *SIZES)
GRAPHS = DataFacts.of("graph", "classify", (6,), ("a", "b"), *SIZES)
SPEECH = DataFacts(
    "audio",
    "classify",
    {"audio": Feature("float", (None,), longest=900, rate=8000.0)},
    {"label": Feature("int", (), ("yes", "no"))},
    *SIZES,
)

SMALL = {"latent_dim": 4, "channels": [4], "hidden": [8]}
CODERS = {
    "autoencoder": ({"name": "autoencoder", **SMALL}, GREY),
    "vae": ({"name": "vae", **SMALL}, GREY),
    "vae conditional": ({"name": "vae", "conditional": True, **SMALL}, GREY),
}
GENERATORS = {
    "gan": ({"name": "gan", "latent_dim": 4, "channels": [8]}, GREY),
    "diffusion": ({"name": "diffusion", "width": 8, "steps": 5, "sampling_steps": 2}, GREY),
}
PICTURES = {
    "ffnn": ({"name": "ffnn", "hidden": [8]}, COLOUR),
    "cnn": ({"name": "cnn", "channels": [4]}, GREY),
    "cnn of colours": ({"name": "cnn", "channels": [4]}, COLOUR),
    "resnet": ({"name": "resnet", "width": 4}, COLOUR),
    "transformer": ({"name": "transformer", "width": 8, "heads": 2, "depth": 1}, COLOUR),
    "torchvision": ({"name": "torchvision:shufflenet_v2_x0_5"}, COLOUR),
}
OTHERS = {
    "rnn": ({"name": "rnn", "hidden": 4}, SEQUENCE),
    "lstm": ({"name": "lstm", "hidden": 4}, SEQUENCE),
    "lstm of videos": ({"name": "lstm", "hidden": 4, "frames": {"channels": [4]}}, VIDEO),
    "ffnn of tables": ({"name": "ffnn", "hidden": [8]}, TABLE),
    "gnn": ({"name": "gnn", "hidden": 8}, NODES),
    "gnn of graphs": ({"name": "gnn", "hidden": 8}, GRAPHS),
}
RECORDINGS = {"lstm of recordings": ({"name": "lstm", "hidden": 4}, SPEECH)}
"""Those that take raw recordings, not arrays."""
MEMBERS: dict[str, tuple[dict[str, Any], DataFacts]] = CODERS | GENERATORS | PICTURES | OTHERS
"""Options and what is known of the data, for each architecture of the zoo."""


def export(
    folder: Path,
    options: dict[str, Any],
    facts: DataFacts,
    code: Path | None = None,
    data: dict[str, Any] | None = None,
) -> Path:
    """The export of a network with fresh weights, and of a source of data, the digits if unsaid."""
    torch.manual_seed(0)
    parts = {"model": options, "data": data or {"name": "digits"}}
    spec = JobSpec.model_validate({"name": "x", "train": {"steps": 1}, **parts})
    architecture = zoo.build(spec.model, facts, code or folder)
    nets = architecture.networks()
    plan: Any = SimpleNamespace(to_json=lambda: {"facts": asdict(facts)})
    folder.mkdir(parents=True)
    write_export(architecture, nets, spec, plan, examples(facts), folder, Weights(step=1))
    return folder


def examples(facts: DataFacts, count: int = 4) -> dict[str, Tensor]:
    """A batch of made-up examples."""
    torch.manual_seed(1)
    label = {"label": torch.arange(count) % 2, "index": torch.arange(count)}
    if facts.modality != "graph":
        ragged = facts.inputs[facts.modality].longest
        lengths = {f"{facts.modality}_length": torch.arange(ragged - count, ragged) + 1}
        given = {facts.modality: torch.rand(count, *facts.shape), **label}
        return {**given, **lengths} if ragged else given
    edge = torch.tensor([[0, 1, 2, 3, 4, 5], [1, 0, 3, 2, 4, 5]])
    graph = {} if facts.task == "classify_nodes" else {"graph": torch.tensor([0, 0, 1, 1, 2, 3])}
    return {"node": torch.rand(6, *facts.shape), "edge": edge, **graph, "at": torch.arange(4)}


def inputs(options: dict[str, Any], facts: DataFacts, code: Path = Path()) -> dict[str, Any]:
    """Arrays that `predict` takes."""
    spec = JobSpec.model_validate(
        {"name": "x", "train": {"steps": 1}, "model": options, "data": {"name": "digits"}}
    )
    architecture = zoo.build(spec.model, facts, code)
    return {name: it.numpy() for name, it in architecture.inputs(examples(facts)).items()}
