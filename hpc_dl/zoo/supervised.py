"""Supervised architectures: one network, whose outputs are those that the data's task asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from hpc_dl import tasks
from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.model import Model
from hpc_dl.zoo.contract import (
    Architecture,
    Batch,
    Loss,
    MonitoredMetric,
    Nets,
    Observed,
    Picture,
    Task,
)
from hpc_dl.zoo.layers.standardise import Rescaled, Standardise


class Supervised(Architecture):
    """Base of supervised architectures, which define their `network` alone."""

    task: Task

    def __init__(self, options: Model, facts: DataFacts, task: Task | None = None) -> None:
        task = task or tasks.build(facts)
        assert task is not None, f"{facts.task} asks nothing of outputs"
        super().__init__(options, facts, task)

    def network(self) -> nn.Module:
        """Return a network from examples to outputs (B, outputs); for regression these are
        standardised targets."""
        raise NotImplementedError

    def networks(self) -> dict[str, nn.Module]:
        network = self.network()
        if self.facts.kind == "table":
            network = nn.Sequential(Standardise(self.facts.shape), network)
        if self.task.rescaled:
            network = Rescaled(network, self.facts.outputs)
        return {"model": network}

    def outputs(self, nets: Nets, batch: Batch) -> Tensor:
        """What the network says of each example: (B, outputs)."""
        return nets["model"](batch[self.facts.kind])

    def loss(self, nets: Nets, batch: Batch, player: str) -> Loss:
        return self.task.loss(self.outputs(nets, batch), batch)

    def measure(self, nets: Nets, batch: Batch) -> Mapping[str, Loss | Observed]:
        return self.task.measure(self.outputs(nets, batch), batch)

    @property
    def monitored(self) -> MonitoredMetric:
        return self.task.monitored

    def artifacts(
        self, nets: Nets, sample: Batch, held_out: Iterable[Batch]
    ) -> Mapping[str, Picture]:
        return self.task.pictures((self.outputs(nets, batch), batch) for batch in held_out)

    def predict(self, nets: Nets, batch: Batch) -> Mapping[str, Tensor]:
        return self.task.predict(self.outputs(nets, batch))
