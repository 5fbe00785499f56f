"""One small job for every architecture that there is."""

from typing import Any

KARATE = {"name": "karate", "batch_size": 8}
DIGITS = {"name": "digits", "batch_size": 64}

JOBS: dict[str, dict[str, Any]] = {
    "ffnn": {"model": {"name": "ffnn", "hidden": [64]}},
    "cnn": {"model": {"name": "cnn", "channels": [8, 16]}},
    "resnet": {"model": {"name": "resnet", "width": 8}},
    "torchvision": {"model": {"name": "torchvision:shufflenet_v2_x0_5", "size": 32}},
    "rnn": {"model": {"name": "rnn", "hidden": 32}},
    "lstm": {"model": {"name": "lstm", "hidden": 32, "layers": 2, "dropout": 0.2}},
    "gru": {"model": {"name": "lstm", "cell": "gru", "hidden": 32}},
    "transformer": {"model": {"name": "transformer", "width": 32, "depth": 2}},
    "gcn": {"model": {"name": "gnn", "layer": "gcn", "hidden": 16}, "data": KARATE},
    "gat": {"model": {"name": "gnn", "layer": "gat", "hidden": 16}, "data": KARATE},
    "sage": {"model": {"name": "gnn", "layer": "sage", "hidden": 16}, "data": KARATE},
    "gin": {"model": {"name": "gnn", "layer": "gin", "hidden": 16}, "data": KARATE},
    "autoencoder": {"model": {"name": "autoencoder", "channels": [8], "hidden": [32]}},
    "vae": {"model": {"name": "vae", "channels": [8], "hidden": [32], "latent_dim": 8}},
    "gan": {"model": {"name": "gan", "channels": [16], "latent_dim": 8}},
    "wgan-gp": {
        "model": {"name": "gan", "channels": [16], "latent_dim": 8, "loss": "wasserstein-gp"}
    },
    "diffusion": {
        "model": {
            "name": "diffusion",
            "width": 8,
            "blocks": 1,
            "steps": 20,
            "sampling_steps": 4,
        }
    },
}
"""By the name of the architecture, or of what is special of it."""

DETERMINISTIC = {
    "ffnn": JOBS["ffnn"],
    "cnn": {"model": {**JOBS["cnn"]["model"], "dropout": 0.0}},
    "rnn": JOBS["rnn"],
    "lstm": {"model": {**JOBS["lstm"]["model"], "dropout": 0.0}},
    "transformer": {"model": {**JOBS["transformer"]["model"], "dropout": 0.0}},
    "gcn": {"model": {**JOBS["gcn"]["model"], "dropout": 0.0}, "data": KARATE},
    "autoencoder": JOBS["autoencoder"],
    "vae": {"model": {**JOBS["vae"]["model"], "noise": 0.0}},
}
"""Those that draw no random numbers within a step, which differ between a CPU and a GPU."""


def sections(job: dict[str, Any], name: str = "check", **more: Any) -> dict[str, Any]:
    """A job spec: `job` with `more` merged into its sections."""
    merged: dict[str, Any] = {"name": name, "data": DIGITS, **job}
    for key, value in more.items():
        merged[key] = {**merged.get(key, {}), **value}
    return merged
