"""Exports of every architecture for tests: untrained, written as a run writes them."""

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hpc_dl import zoo
from hpc_dl.data import tokens
from hpc_dl.data.audio import form
from hpc_dl.data.tagged import encoding
from hpc_dl.data.tagged.encoding import WordEncoder
from hpc_dl.data.tokens.words import Words
from hpc_dl.jobspec.facts import BEGIN, END, DataFacts, Feature
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.notes import NAMES
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
WINDOWS = DataFacts(
    "sequence",
    "forecast",
    {"sequence": Feature("float", (7, 2), ("load", "price"))},
    {"future": Feature("float", (3, 2), ("load", "price"))},
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
WORDS = ("<unk>", "to", "be", "or", "not")
TEXT = Feature("int", (None,), WORDS, longest=8, tokens="words")
WRITTEN = Feature("int", (None,), ("<unk>", BEGIN, END, "sein", "nicht"), longest=5, tokens="words")
TAGS = Feature("int", (None,), ("O", "B-person", "I-person"), longest=8)
REVIEWS = DataFacts("text", "classify", {"text": TEXT}, SPEECH.targets, *SIZES)
PLAY = DataFacts("text", "predict_next", {"text": TEXT}, {"next": TEXT}, *SIZES)
PAIRS = DataFacts("text", "translate", {"text": TEXT}, {"translation": WRITTEN}, *SIZES)
TAGGED = DataFacts("text", "tag", {"text": WordEncoder(WORDS).feature(8)}, {"tags": TAGS}, *SIZES)
MUSIC = DataFacts(
    "music",
    "predict_notes",
    {"music": Feature("float", (None, 88), longest=8, rate=2.0)},
    {"next": Feature("float", (None, 88), NAMES, longest=8)},
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
    "airbench": ({"name": "airbench", "channels": [4], "mirror": True}, COLOUR),
    "resnet": ({"name": "resnet", "width": 4}, COLOUR),
    "transformer": ({"name": "transformer", "width": 8, "heads": 2, "depth": 1}, COLOUR),
    "torchvision": ({"name": "torchvision:shufflenet_v2_x0_5"}, COLOUR),
}
OTHERS = {
    "rnn": ({"name": "rnn", "hidden": 4}, SEQUENCE),
    "lstm": ({"name": "lstm", "hidden": 4}, SEQUENCE),
    "lstm of videos": ({"name": "lstm", "hidden": 4, "frames": {"channels": [4]}}, VIDEO),
    "lstm of series": ({"name": "lstm", "hidden": 4}, WINDOWS),
    "ffnn of series": ({"name": "ffnn", "hidden": [8]}, WINDOWS),
    "ffnn of tables": ({"name": "ffnn", "hidden": [8]}, TABLE),
    "gnn": ({"name": "gnn", "hidden": 8}, NODES),
    "gnn of graphs": ({"name": "gnn", "hidden": 8}, GRAPHS),
}
RECORDINGS = {"lstm of recordings": ({"name": "lstm", "hidden": 4}, SPEECH)}
GRU = {"name": "lstm", "cell": "gru", "hidden": 4, "bidirectional": True}
ATTENTION = {"name": "transformer", "width": 8, "heads": 2, "depth": 1}
RAW = {
    "lstm of texts": (GRU, REVIEWS),
    "rnn of a play": ({"name": "rnn", "hidden": 4}, PLAY),
    "lstm of pairs": (GRU, PAIRS),
    "transformer of pairs": (ATTENTION, PAIRS),
    "lstm of tagged": ({"name": "lstm", "hidden": 4, "crf": True}, TAGGED),
    "transformer of music": (ATTENTION, MUSIC),
    **RECORDINGS,
}
"""Those that take raw texts, music and recordings, not arrays."""
ASSETS = {
    tokens.FILE: tokens.to_json(Words(WORDS)),
    encoding.FILE: WordEncoder(WORDS).to_json(),
    form.FILE: form.AudioForm(8000, resamples=False, mixes=False).to_json(),
}
"""What turns those into tensors."""
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
        made = torch.rand(count, *facts.shape)
        if facts.modality == "text":
            made = (made * len(WORDS)).long()
        given = {facts.modality: made.round() if facts.modality == "music" else made, **label}
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


def raw_inputs(facts: DataFacts) -> dict[str, Any]:
    """What `predict` takes of two texts, of a piece of music, or of a recording."""
    if facts.modality == "audio":
        return {"audio": np.sin(np.arange(900)), "rate": 8000}
    if facts.modality == "music":
        return {"music": np.eye(5, 88)}
    return {"text": np.array(["to be", "or not to be"])}
