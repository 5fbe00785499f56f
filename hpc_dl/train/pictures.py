"""Artifacts of a run, made of held-out examples, with their captions and file names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hpc_dl.data.dataset import Split
from hpc_dl.data.sampler import mix_seed
from hpc_dl.errors import UserError, naming
from hpc_dl.run.layout import RunDir
from hpc_dl.run.weights import Weights
from hpc_dl.train.best_effort import BestEffort
from hpc_dl.train.evaluate import evaluating
from hpc_dl.train.reproducibility import DRAWING, seed_generators
from hpc_dl.zoo.contract import Architecture, Artifact, Batch, File, Picture, Text

SAMPLE_SIZE = 32
"""Held-out examples that pictures are drawn of."""


@dataclass(frozen=True)
class Caption:
    """The split and the weights of an artifact, for its title and its file name."""

    split: str
    weights: Weights
    is_final: bool = False
    """True of the trained weights, at the end."""

    def title(self, artifact: Artifact) -> str:
        """Return the artifact's caption with split and step."""
        split = [] if artifact.generated else [f"{self.split} split"]
        is_named = self.is_final or self.weights.averaged
        step = self.weights.name if is_named else f"step {self.weights.step}"
        return ", ".join([artifact.caption, *split, step])

    @property
    def which(self) -> str:
        """What tells pictures of the end from those before in a warning."""
        return f" of the {self.split} split" if self.is_final else ""

    @property
    def when(self) -> str:
        """When a picture could not be drawn, for a warning."""
        return "" if self.is_final else f" of step {self.weights.step}"

    @property
    def file(self) -> str:
        """The file name without its suffix; final artifacts do not replace others."""
        prefix = f"{self.split}-" if self.is_final else ""
        return f"{prefix}step-{self.weights.step:08d}"


def sample_of(split: Split, device: torch.device, seed: int) -> Batch:
    """Return a few examples of a split, the same ones throughout a run."""
    generator = torch.Generator().manual_seed(mix_seed(seed, DRAWING))
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
    """Write the architecture's artifacts into the run folder, and yield the event of each.

    One that cannot be drawn does not prevent the others.
    """
    sample = on_device_of(nets, sample)
    held_out = (on_device_of(nets, batch) for batch in held_out)
    seed_generators(sample["index"].device, *key, DRAWING)
    with evaluating(nets), torch.no_grad():
        artifacts = _checked(architecture.artifacts(nets, sample, held_out))
    for name, artifact in artifacts.items():
        written = []
        with best_effort.on_this_rank(f"picture '{name}'{caption.which}", caption.when):
            path = run.artifacts / _file(name, artifact, caption)
            title, step = caption.title(artifact), caption.weights.step
            written.append(_write(artifact, path, title, run, step))
        yield from written


def _checked(artifacts: Any) -> Mapping[str, Artifact]:
    """Return what a user's `artifacts` has returned, if it is a mapping."""
    if not isinstance(artifacts, Mapping):
        raise UserError(
            f"`artifacts` has returned {artifacts!r:.40}, which is no mapping of names to Picture, "
            "Text or File"
        )
    return artifacts


def _file(name: Any, artifact: Any, caption: Caption) -> Path:
    """Return the path of an artifact, which may be a user's, below `artifacts/`."""
    _check(artifact)
    path = Path(os.path.normpath(Path(name) / f"{caption.file}{artifact.suffix}"))
    if path.is_absolute() or path.parts[0] == ".." or len(path.parts) < 2:
        raise UserError("its name is that of no folder below artifacts/")
    return path


def _check(artifact: Any) -> None:
    """Raise UserError for what a user's `artifacts` took for an artifact."""
    if not isinstance(artifact, Picture | Text | File):
        raise UserError(f"{artifact!r:.40} is no Picture, Text or File")
    if not isinstance(artifact.caption, str):
        raise UserError(f"its caption is {artifact.caption!r:.40}, which is no text")
    if not isinstance(artifact.suffix, str) or not re.fullmatch(r"(\.\w+)+", artifact.suffix):
        raise UserError(f"its suffix is {artifact.suffix!r:.40}, which is none like '.wav'")
    if isinstance(artifact, File) and not isinstance(artifact.content, bytes):
        raise UserError(f"its content is {type(artifact.content).__name__}, not bytes")


def on_device_of(nets: Mapping[str, nn.Module], batch: Batch) -> Batch:
    """Return a batch on the networks' device: gathered ones of FSDP are in main memory."""
    device = next(p.device for net in nets.values() for p in net.parameters())
    return {name: tensor.to(device) for name, tensor in batch.items()}


def write_curve(picture: Picture, name: str, run: RunDir) -> dict[str, Any]:
    """Write a picture from before the training, and return its event."""
    title = f"{picture.caption}, before the first step"
    return _write(picture, run.artifacts / name / "step-00000000.png", title, run, 0)


def _write(artifact: Artifact, path: Path, title: str, run: RunDir, step: int) -> dict[str, Any]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path):
        artifact.save(path, title.removeprefix(artifact.caption))
    return artifact_event(run, path, step, title)


def artifact_event(run: RunDir, path: Path, step: int, caption: str) -> dict[str, Any]:
    """Return the fields of the journal event of a file under `artifacts/`."""
    return {"step": step, "path": path.relative_to(run.path).as_posix(), "caption": caption}
