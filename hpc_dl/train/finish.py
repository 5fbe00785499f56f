"""The end of a run: the best weights are tested, drawn, exported and summed up."""

from __future__ import annotations

import resource
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from hpc_dl.data.order import mix
from hpc_dl.data.split import Split
from hpc_dl.errors import naming
from hpc_dl.plan import Plan
from hpc_dl.rundir import RunDir, write_json
from hpc_dl.spec.data import Data
from hpc_dl.spec.job import JobSpec
from hpc_dl.spec.sources import ImageFolder, TorchVision
from hpc_dl.train.evaluate import evaluating
from hpc_dl.train.randomness import DRAWING, seed_generators
from hpc_dl.zoo.class_names import class_names
from hpc_dl.zoo.contract import Architecture, Batch, Picture
from hpc_dl.zoo.option_files import copy_into

CLASS_NAMES = {"shape": [-1], "dtype": "str"}
"""How names of classes are described among the outputs."""
SAMPLE_SIZE = 32
"""Held-out examples that pictures are drawn from."""


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
) -> Iterator[dict[str, Any]]:
    """Write the architecture's pictures into the run folder; yields what to journal of each."""
    step, sample = key[-1], _beside(nets, sample)
    held_out = (_beside(nets, batch) for batch in held_out)
    seed_generators(sample["index"].device, *key, DRAWING)
    with evaluating(nets), torch.no_grad():
        pictures = architecture.artifacts(nets, sample, held_out)
    for name, picture in pictures.items():
        yield keep(picture, name, run, step)


def keep(picture: Picture, name: str, run: RunDir, step: int) -> dict[str, Any]:
    """Write a picture of a step into the run folder; returns what to journal of it."""
    path = run.artifacts / name / f"step-{step:08d}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path):
        Image.fromarray(picture.pixels(f", step {step}")).save(path)
    place = path.relative_to(run.path).as_posix()
    return {"step": step, "path": place, "caption": f"{picture.caption}, step {step}"}


def export(
    architecture: Architecture,
    nets: Mapping[str, nn.Module],
    spec: JobSpec,
    plan: Plan,
    sample: Batch,
    folder: Path,
) -> None:
    """Write what `hpc_dl.predictor` needs to load the trained networks and predict."""
    folder.mkdir(exist_ok=True)
    sample = _beside(nets, sample)
    weights = {
        name: {key: tensor.cpu() for key, tensor in net.state_dict().items()}
        for name, net in nets.items()
    }
    torch.save(weights, folder / "weights.pt")
    with evaluating(nets), torch.no_grad():
        inputs = architecture.inputs(sample)
        outputs = architecture.predict(nets, inputs)
    options, files = copy_into(folder, spec.model.without_paths().model_dump(mode="json"))
    described = {name: _described(name, tensor) for name, tensor in outputs.items()}
    described |= dict.fromkeys(class_names(outputs, architecture.facts), CLASS_NAMES)
    write_json(
        folder / "model.json",
        {
            "model": options,
            "facts": plan.to_json()["facts"],
            "inputs": {name: _described(name, tensor) for name, tensor in inputs.items()},
            "outputs": described,
            "files": files,
            "resized": _resizes(spec.data),
        },
    )


def _resizes(source: Data) -> bool:
    """Whether a source makes pictures of any size those that the network takes."""
    return isinstance(source, ImageFolder | TorchVision) and source.size is not None


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
