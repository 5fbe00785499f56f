"""Pictures of a run, and its end: what is exported and summed up."""

from __future__ import annotations

import contextlib
import resource
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from hpc_dl.data.dataset import Split
from hpc_dl.data.order import mix
from hpc_dl.errors import EXIT_FAILED, UserError, naming
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.plan import Plan
from hpc_dl.run.layout import RunDir, write_json
from hpc_dl.run.weights import Weights
from hpc_dl.train import disk, memory
from hpc_dl.train.best_effort import Extras
from hpc_dl.train.evaluate import evaluating
from hpc_dl.train.randomness import DRAWING, seed_generators
from hpc_dl.zoo.contract import Architecture, Batch, Picture, part
from hpc_dl.zoo.option_files import copy_into

STRINGS = {"shape": [-1], "dtype": "str"}
"""Description of strings among the outputs, such as names of classes."""
SAMPLE_SIZE = 32
"""Held-out examples that pictures are drawn from."""
FEW = 2
"""Of these, so many show what a trained network takes and gives."""


@dataclass(frozen=True)
class Shown:
    """What pictures are of: a split, and the weights with which it was gone through."""

    split: str
    weights: Weights
    final: bool = False
    """Whether they are of the trained weights, at the end."""

    def title(self, picture: Picture) -> str:
        """The caption of a picture with the split and the step in it."""
        split = [] if picture.generated else [f"{self.split} split"]
        named = self.final or self.weights.averaged
        step = self.weights.name if named else f"step {self.weights.step}"
        return ", ".join([picture.caption, *split, step])

    @property
    def file(self) -> str:
        """The name of their files; the final ones do not take the place of others."""
        before = f"{self.split}-" if self.final else ""
        return f"{before}step-{self.weights.step:08d}.png"


def sample_of(split: Split, device: torch.device, seed: int) -> Batch:
    """A few examples of a split, the same ones throughout a run."""
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
    shown: Shown,
    extras: Extras,
) -> Iterator[dict[str, Any]]:
    """Write the architecture's pictures into the run folder; yields what to journal of each.

    One that cannot be drawn takes no other with it.
    """
    sample = _beside(nets, sample)
    held_out = (_beside(nets, batch) for batch in held_out)
    seed_generators(sample["index"].device, *key, DRAWING)
    with evaluating(nets), torch.no_grad():
        pictures = architecture.artifacts(nets, sample, held_out)
    for name, picture in pictures.items():
        path, kept = run.artifacts / name / shown.file, []
        with extras.alone(f"picture '{name}' of step {shown.weights.step}"):
            kept.append(_keep(picture, path, shown.title(picture), run, shown.weights.step))
        yield from kept


def _keep(picture: Picture, path: Path, title: str, run: RunDir, step: int) -> dict[str, Any]:
    """Write a picture into the run folder; returns what to journal of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path):
        Image.fromarray(picture.pixels(title.removeprefix(picture.caption))).save(path)
    return artifact(run, path, step, title)


def keep_curve(picture: Picture, name: str, run: RunDir) -> dict[str, Any]:
    """Write a picture from before the training; returns what to journal of it."""
    title = f"{picture.caption}, before the first step"
    return _keep(picture, run.artifacts / name / "step-00000000.png", title, run, 0)


def artifact(run: RunDir, path: Path, step: int, caption: str) -> dict[str, Any]:
    """What to journal of a file under `artifacts/`."""
    return {"step": step, "path": path.relative_to(run.path).as_posix(), "caption": caption}


@contextlib.contextmanager
def whole_export(run: RunDir) -> Iterator[None]:
    """Add the user's own code to an export; UserError where the disk refuses any of it, for without
    the export the training would have been for nothing."""
    try:
        yield
        if run.code.is_dir():
            shutil.copytree(run.code, run.export / "code", dirs_exist_ok=True)
    except (OSError, RuntimeError) as error:
        if memory.ran_out(error) or not disk.refuses(error):
            raise
        raise UserError(
            f"trained, but the model could not be written: {disk.reason(error)}",
            hint=f"Make room for {run.path}, and `hpcdl submit` again finishes the run.",
            exit_code=EXIT_FAILED,
        ) from error


def write_export(
    architecture: Architecture,
    nets: Mapping[str, nn.Module],
    spec: JobSpec,
    plan: Plan,
    sample: Batch,
    folder: Path,
    weights: Weights,
) -> None:
    """Write what `hpc_dl.predictor` needs to load the trained networks and predict."""
    folder.mkdir(exist_ok=True)
    _write_weights(nets, folder / "weights.pt")
    options, files = copy_into(folder, spec.model.without_paths().model_dump(mode="json"))
    write_json(
        folder / "model.json",
        {
            "model": options,
            "weights": weights.to_json(),
            "facts": plan.to_json()["facts"],
            **_signature(architecture, nets, _beside(nets, part(sample, slice(FEW)))),
            "files": files,
            "resized": spec.data.resizes,
        },
    )


def _write_weights(nets: Mapping[str, nn.Module], path: Path) -> None:
    tensors = {
        name: {key: tensor.cpu() for key, tensor in net.state_dict().items()}
        for name, net in nets.items()
    }
    torch.save(tensors, path)


def _signature(
    architecture: Architecture, nets: Mapping[str, nn.Module], few: Batch
) -> dict[str, Any]:
    """What `predict` is given, and what it returns."""
    with evaluating(nets), torch.no_grad():
        inputs = architecture.inputs(few)
        outputs = architecture.predict(nets, inputs)
    described = {name: _described(name, tensor) for name, tensor in outputs.items()}
    described |= dict.fromkeys(architecture.decode(outputs), STRINGS)
    return {
        "inputs": {name: _described(name, tensor) for name, tensor in inputs.items()},
        "outputs": described,
    }


def _described(name: str, tensor: Tensor) -> dict[str, Any]:
    """The type and the shape, with -1 for any size; edges stand in columns, all else in rows."""
    shape = [2, -1] if name == "edge" else [-1, *tensor.shape[1:]]
    dtype = str(tensor.dtype).removeprefix("torch.")
    return {"shape": shape, "dtype": dtype}


def _beside(nets: Mapping[str, nn.Module], sample: Batch) -> Batch:
    """The sample where the networks are: divided ones are put together in main memory."""
    device = next(p.device for net in nets.values() for p in net.parameters())
    return {name: tensor.to(device) for name, tensor in sample.items()}


def parameter_count(nets: Mapping[str, nn.Module]) -> int:
    """Trainable numbers in all networks."""
    return sum(p.numel() for net in nets.values() for p in net.parameters() if p.requires_grad)


def peak_memory(device: torch.device) -> int:
    """The most bytes that this rank has held: on its GPU, or else of main memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
