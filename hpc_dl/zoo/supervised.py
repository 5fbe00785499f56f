"""Supervised architectures: one network, whose outputs are those that the data's task asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from hpc_dl import tasks
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.model import Model
from hpc_dl.tasks.decoding import Step
from hpc_dl.tasks.forecast import quantiles_of
from hpc_dl.tasks.state import State, clear, pick
from hpc_dl.zoo.contract import (
    Architecture,
    Artifact,
    Batch,
    Loss,
    Measured,
    MonitoredMetric,
    Nets,
    Task,
)
from hpc_dl.zoo.layers.chain import ConditionalRandomField
from hpc_dl.zoo.layers.encoder_decoder import step_of
from hpc_dl.zoo.layers.forecast import Forecast
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
        if self.facts.modality == "table":
            network = nn.Sequential(Standardise(self.facts.shape), network)
        if getattr(self.options, "crf", False):
            network = ConditionalRandomField(network, self.task.outputs)
        if self.facts.task == "forecast":
            network = Forecast(network, self.facts.outputs, len(quantiles_of(self.facts)))
        if self.task.rescaled:
            network = Rescaled(network, self.facts.outputs)
        return {"model": network}

    def outputs(self, nets: Nets, batch: Batch) -> Tensor:
        """Return what the network gives for each example, (B, outputs), or for each of its tokens,
        (B, T, outputs)."""
        name = self.facts.modality
        names = (name, f"{name}_length", *self.task.shown)
        found = nets["model"](*(batch[it] for it in names if it in batch))
        return found[0] if isinstance(found, tuple) else found  # without the state

    def step(self, nets: Nets, batch: Batch) -> Step:
        """Return what reads one token, as decoding needs it of a network that reads tokens; of an
        encoder-decoder it translates the texts of a batch."""
        network = nets["model"]
        if self.task.shown:
            return step_of(network, batch["text"], batch["text_length"])

        def read(tokens: Tensor, state: State) -> tuple[Tensor, State]:
            logits, state = network(tokens[:, None], state=state)
            return logits[:, -1], state

        return read

    def loss(self, nets: Nets, batch: Batch, player: str) -> Loss:
        return self.task.loss(self.outputs(nets, batch), batch)

    def carried_loss(
        self, nets: Nets, batch: Batch, player: str, carry: State
    ) -> tuple[Loss, State]:
        name = self.facts.modality
        before = pick(carry, slice(len(batch[name])))  # the last batch may have fewer rows
        if "begins" in batch:
            before = clear(before, batch["begins"])
        outputs, after = nets["model"](batch[name], batch[f"{name}_length"], before)
        return self.task.loss(outputs, batch), after

    def measure(self, nets: Nets, batch: Batch) -> Mapping[str, Measured]:
        return self._measure(nets, batch, test=False)

    def test(self, nets: Nets, batch: Batch) -> Mapping[str, Measured]:
        return self._measure(nets, batch, test=True)

    def _measure(self, nets: Nets, batch: Batch, *, test: bool) -> Mapping[str, Measured]:
        measured = self.task.measure(self.outputs(nets, batch), batch)
        step = self.step(nets, batch)
        return {**measured, **self.task.measure_generated(step, batch, test=test)}

    @property
    def monitored(self) -> MonitoredMetric:
        return self.task.monitored

    def artifacts(
        self, nets: Nets, sample: Batch, held_out: Iterable[Batch]
    ) -> Mapping[str, Artifact]:
        pictures = self.task.pictures((self.outputs(nets, batch), batch) for batch in held_out)
        return {**pictures, **self.task.samples(self.step(nets, sample), sample)}

    def predict(self, nets: Nets, batch: Batch) -> Mapping[str, Tensor]:
        generated = self.task.generate(self.step(nets, batch), batch)
        return generated or self._predicted(self.outputs(nets, batch), batch)

    def _predicted(self, outputs: Tensor, batch: Batch) -> Mapping[str, Tensor]:
        """Return predictions by name, and how many steps of each example are real, if they are of
        steps."""
        length = f"{self.facts.modality}_length"
        real = {"length": batch[length]} if self.task.of_steps and length in batch else {}
        return {**self.task.predict(outputs), **real}
