"""Options of graph neural networks."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from hpc_dl.jobspec.facts import Modality, Task
from hpc_dl.jobspec.model import Activation, Probability
from hpc_dl.jobspec.normalised import Normalised
from hpc_dl.jobspec.only_with import OnlyWith


class GraphNeuralNetwork(Normalised):
    """Graph neural network: messages pass between neighbouring nodes, layer by layer."""

    modalities: ClassVar[tuple[Modality, ...]] = ("graph",)
    tasks: ClassVar[tuple[Task, ...]] = ("classify_nodes", "classify", "regress")

    name: Literal["gnn"]
    layer: Literal["gcn", "gat", "sage", "gin"] = Field(
        "gcn", description="type of the graph layers: GCN, GAT, GraphSAGE or GIN"
    )
    layers: PositiveInt = Field(
        2, description="graph layers; for tasks of nodes the last one gives the outputs"
    )
    hidden: PositiveInt = Field(64, description="units of a hidden layer, all heads together")
    heads: Annotated[PositiveInt, OnlyWith("layer", ("gat",))] = Field(
        8, description="attention heads of a hidden GAT layer"
    )
    activation: Activation = Field("elu", description="between the layers")
    dropout: Probability = Field(
        0.6, description="probability of dropping an input of a layer, and an attention of GAT"
    )
    normalise: bool = Field(
        False, description="divide the features of a node by their sum, as of a bag of words"
    )
    pooling: Annotated[Literal["mean", "sum", "max"], OnlyWith("task", ("classify", "regress"))] = (
        Field("mean", description="of the nodes, for tasks of whole graphs")
    )

    @property
    def normed_widths(self) -> list[int]:
        return [self.hidden]

    @model_validator(mode="after")
    def _heads_are_alike(self) -> Self:
        if self.layer == "gat" and self.hidden % self.heads:
            raise ValueError(f"{self.heads} heads cannot share {self.hidden} units evenly")
        return self
