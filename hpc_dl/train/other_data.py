"""Evaluate the trained network of a run on data that it was not tested on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hpc_dl import tasks, zoo
from hpc_dl.data import changes, fingerprint, loading, sources
from hpc_dl.data.dataset import Split, Splits
from hpc_dl.data.source import Source
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.plan import Plan
from hpc_dl.run import initial_weights, records
from hpc_dl.run.layout import RunDir
from hpc_dl.train import predictions
from hpc_dl.train.build import place_splits
from hpc_dl.train.evaluate import EvaluationMetrics, evaluate, evaluation_batch
from hpc_dl.train.world import World
from hpc_dl.zoo import trained

ALL = "all"
"""The name of the examples of all splits together."""


@dataclass(frozen=True)
class Measured:
    """The metrics of a network on examples."""

    examples: int
    metrics: dict[str, float]
    files: list[Path]
    """Tables of the predictions."""


def measure(
    run: RunDir,
    source: Source[Any],
    split: str,
    step: int,
    device: torch.device,
    workers: int | None,
    folder: Path,
) -> Measured:
    """Measure the network of a run as its test did, on a `split` of a source, or on ALL.

    `step` is the last one of the training, `folder` is where the tables of predictions are written,
    and `workers` are those of `loading.load`. Raises UserError for data that do not fit the
    network.
    """
    spec, plan, of_run = (
        records.load_spec(run),
        records.load(run.plan, Plan),
        trained.load(run.export),
    )
    splits = place_splits(loading.load(source, workers), device)
    changes.refuse_misfit(of_run.architecture.facts, splits.facts)
    options, facts = of_run.architecture.options, of_run.architecture.facts
    examples = _TrainingTensors(lambda: _training_tensors(run, spec, plan))
    task = tasks.build(facts, spec.train, examples, run.code)
    architecture = zoo.build(options, facts, run.export / "code", task)
    nets = {name: net.to(device) for name, net in of_run.nets.items()}
    world, size, seed = World(0, 1, device), evaluation_batch(spec, plan), (spec.train.seed, step)
    metrics, chosen = EvaluationMetrics(world), _chosen(splits, split)
    for part in chosen:
        evaluate(architecture.test, nets, part, world, batch_size=size, seed=seed, metrics=metrics)
    predicted = itertools.chain.from_iterable(
        predictions.predict(architecture, nets, part, world, batch_size=size, seed=seed)
        for part in chosen
    )
    tables = predictions.tables_of(architecture)
    files = predictions.write(predicted, tables, splits.names, folder)
    return Measured(sum(map(len, chosen)), metrics.compute(), files)


def _chosen(splits: Splits, name: str) -> Sequence[Split]:
    every = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    return [it for it in every.values() if len(it)] if name == ALL else [every[name]]


def _training_tensors(run: RunDir, spec: JobSpec, plan: Plan) -> Mapping[str, Tensor]:
    """Return the tensors that a run was trained on. Raises UserError where they have changed."""
    source = sources.build(spec.data, Path(plan.data_root), run.code)
    now = fingerprint.take(source, spec.model, plan.facts, initial_weights.find(run))
    fingerprint.check(run, now, plan.facts)
    return loading.load(source, plan.workers).train.tensors


class _TrainingTensors(Mapping[str, Tensor]):
    """Tensors that are read once a task asks for one, such as for the weights of classes."""

    def __init__(self, load: Callable[[], Mapping[str, Tensor]]) -> None:
        self._load = load

    @cached_property
    def _loaded(self) -> Mapping[str, Tensor]:
        return self._load()

    def __getitem__(self, name: str) -> Tensor:
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaded)

    def __len__(self) -> int:
        return len(self._loaded)
