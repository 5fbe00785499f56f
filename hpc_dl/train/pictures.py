"""Pictures of a run, drawn of held-out examples, with their captions and file names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn

from hpc_dl.data.dataset import Split
from hpc_dl.data.order import mix
from hpc_dl.errors import naming
from hpc_dl.run.layout import RunDir
from hpc_dl.run.weights import Weights
from hpc_dl.train.best_effort import BestEffort
from hpc_dl.train.evaluate import evaluating
from hpc_dl.train.reproducibility import DRAWING, seed_generators
from hpc_dl.zoo.contract import Architecture, Batch, Picture

SAMPLE_SIZE = 32
"""Held-out examples that pictures are drawn of."""


@dataclass(frozen=True)
class Caption:
    """The split and the weights of a picture, for its title and its file name."""

    split: str
    weights: Weights
    is_final: bool = False
    """True of the trained weights, at the end."""

    def title(self, picture: Picture) -> str:
        """Return the picture's caption with split and step."""
        split = [] if picture.generated else [f"{self.split} split"]
        is_named = self.is_final or self.weights.averaged
        step = self.weights.name if is_named else f"step {self.weights.step}"
        return ", ".join([picture.caption, *split, step])

    @property
    def file(self) -> str:
        """The file name; final pictures do not replace others."""
        prefix = f"{self.split}-" if self.is_final else ""
        return f"{prefix}step-{self.weights.step:08d}.png"


def sample_of(split: Split, device: torch.device, seed: int) -> Batch:
    """Return a few examples of a split, the same ones throughout a run."""
    generator = torch.Generator().manual_seed(mix(seed, DRAWING))
    chosen = torch.randperm(len(split), generator=generator)[:SAMPLE_SIZE]
    return split.batch(chosen.to(device))


def draw(
    architecture: Architecture,
    nets: Mapping[str, nn.Module],
    sample: Batch,
    held_out: Iterable[Batch],
    run: RunDir,
    key: tuple[int, ...],
    caption: Caption,
    best_effort: BestEffort,
) -> Iterator[dict[str, Any]]:
    """Write the architecture's pictures into the run folder, and yield the event of each.

    One that cannot be drawn does not prevent the others.
    """
    sample = on_device_of(nets, sample)
    held_out = (on_device_of(nets, batch) for batch in held_out)
    seed_generators(sample["index"].device, *key, DRAWING)
    with evaluating(nets), torch.no_grad():
        pictures = architecture.artifacts(nets, sample, held_out)
    step = caption.weights.step
    for name, picture in pictures.items():
        path, written = run.artifacts / name / caption.file, []
        with best_effort.on_this_rank(f"picture '{name}' of step {step}"):
            written.append(_write(picture, path, caption.title(picture), run, step))
        yield from written


def on_device_of(nets: Mapping[str, nn.Module], batch: Batch) -> Batch:
    """Return a batch on the networks' device: gathered ones of FSDP are in main memory."""
    device = next(p.device for net in nets.values() for p in net.parameters())
    return {name: tensor.to(device) for name, tensor in batch.items()}


def write_curve(picture: Picture, name: str, run: RunDir) -> dict[str, Any]:
    """Write a picture from before the training, and return its event."""
    title = f"{picture.caption}, before the first step"
    return _write(picture, run.artifacts / name / "step-00000000.png", title, run, 0)


def _write(picture: Picture, path: Path, title: str, run: RunDir, step: int) -> dict[str, Any]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path):
        Image.fromarray(picture.pixels(title.removeprefix(picture.caption))).save(path)
    return artifact_event(run, path, step, title)


def artifact_event(run: RunDir, path: Path, step: int, caption: str) -> dict[str, Any]:
    """Return the fields of the journal event of a file under `artifacts/`."""
    return {"step": step, "path": path.relative_to(run.path).as_posix(), "caption": caption}
