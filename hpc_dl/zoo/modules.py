"""A user's plain `nn.Module` as an architecture: the task of the data has its loss, metrics and
pictures.

    class Net(nn.Module):
        def __init__(self, input_shape, outputs, hidden=64):
            super().__init__()
            self.layers = nn.Sequential(
                nn.Flatten(), nn.Linear(math.prod(input_shape), hidden), nn.ReLU(),
                nn.Linear(hidden, outputs),
            )

        def forward(self, image):
            return self.layers(image)

Its constructor gets by name, where it has such parameters,

    input_shape    the shape of one example, without the batch: (1, 28, 28); along an axis that
                   differs between examples, that of the longest; of a graph, (features of a node,)
    outputs        how many numbers it returns for an example, or for each step of a sequence
    vocabulary     how many tokens there are, of texts

and its other parameters are options of the job spec. It is called with tensors by place: the
examples, (B, *input_shape); where they are padded to one length also their lengths, (B,) int64; of
graphs `node`, (N, F), and `edge`, (2, E) int64, and where examples are whole graphs `graph`, (N,)
int64, that of each node, and their number, an int. It returns (B, outputs), or (B, T, outputs):
logits of classes, standardised targets, or whatever the task in `hpc_dl/tasks` says. The rows of a
table come standardised.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.model import UserModel
from hpc_dl.jobspec.signatures import Called
from hpc_dl.tasks.decoding import Step
from hpc_dl.tasks.state import State
from hpc_dl.zoo.contract import Batch, Nets, Task
from hpc_dl.zoo.graphs import OfGraphs
from hpc_dl.zoo.supervised import Supervised

GIVEN = ("input_shape", "outputs", "vocabulary")
"""Parameters of the constructor that the data decide."""

TASKS_OF_OTHERS = ("none", "translate")
"""Tasks that ask for more than outputs for inputs."""


def called(module: type[nn.Module]) -> Called:
    """Return a user's class as what is called with the options of `model`."""
    return Called(module, GIVEN)


class PlainModule(Supervised):
    """Supervised architecture whose network is a user's class."""

    def __init__(
        self, module: type[nn.Module], options: UserModel, facts: DataFacts, task: Task | None
    ) -> None:
        if facts.task in TASKS_OF_OTHERS:
            raise UserError(
                f"{options.name} is a plain nn.Module, which has outputs for its inputs: "
                f"the data's task '{facts.task}' asks for more",
                hint="Derive it from hpc_dl.zoo.contract.Architecture.",
            )
        # None of its options are those of hpcdl's own networks.
        super().__init__(UserModel(name=options.name), facts, task)
        self.called, self.given = called(module), options.options

    def network(self) -> nn.Module:
        network = self.called.function(**self.called.keywords(self.given), **self._asked_for())
        if not isinstance(network, nn.Module):
            raise UserError(f"{self.options.name} did not become a network, but {type(network)}")
        if lazy := [name for name, it in network.named_parameters() if is_lazy(it)]:
            raise UserError(
                f"{self.options.name} has layers without a size: {first_few(lazy, 4)}",
                hint="The optimizer, the seed and a checkpoint need their shapes before the first "
                "step: give the size in place of a Lazy layer; it follows from `input_shape`.",
            )
        network.register_forward_hook(
            partial(_check_outputs, self.options.name, self.task.outputs, self.task.of_steps)
        )
        self._check_forward(network)
        return network

    def _asked_for(self) -> dict[str, Any]:
        """Return what the constructor asks for of the data."""
        known: dict[str, Any] = {"input_shape": self.facts.shape, "outputs": self.task.outputs}
        if self.facts.modality == "text":
            known["vocabulary"] = len(next(iter(self.facts.inputs.values())).vocabulary)
        elif self.called.takes("vocabulary"):
            raise UserError(
                f"{self.options.name} asks for a vocabulary, and the data are no texts, but "
                f"{self.facts.modality} data"
            )
        return {name: it for name, it in known.items() if self.called.takes(name)}

    def _check_forward(self, network: nn.Module) -> None:
        """Raise UserError where `forward` does not take all that belongs to an example."""
        try:
            signature = inspect.signature(network.forward)
            signature.bind(*self.input_names())
        except ValueError:  # of what is not written in Python
            return
        except TypeError as error:
            wanted = ", ".join(("self", *self.input_names()))
            padded = " Examples are padded to one length, so that their lengths count."
            raise UserError(
                f"{self.options.name}.forward{signature} cannot be called: {error}",
                hint=f"Write: def forward({wanted})." + (padded if self.facts.is_ragged else ""),
            ) from None

    def input_names(self) -> tuple[str, ...]:
        """Return the names of what `forward` is called with."""
        name = self.facts.modality
        return (name, f"{name}_length") if self.facts.is_ragged else (name,)

    def step(self, nets: Nets, batch: Batch) -> Step:
        """Return what reads one element: it keeps all before, which the network reads again."""
        longest = self.facts.shape[0]

        def read(element: Tensor, state: State) -> tuple[Tensor, State]:
            seen = element[:, None]
            if state is not None:
                seen = torch.cat([state, seen], dim=1)[:, -longest:]
            length = torch.full_like(seen[:, 0], seen.shape[1], dtype=torch.int64)
            lengths = (length,) if self.facts.is_ragged else ()
            return nets["model"](seen, *lengths)[:, -1], seen

        return read


class GraphModule(PlainModule, OfGraphs):
    """The same for the nodes of one graph, or for many graphs."""

    def input_names(self) -> tuple[str, ...]:
        of_graphs = () if self.task.of_nodes else ("graph", "graphs")
        return ("node", "edge", *of_graphs)


def _check_outputs(
    name: str, outputs: int, of_steps: bool, network: nn.Module, inputs: Sequence[Any], found: Any
) -> None:
    """Raise UserError for outputs of another shape than the task asks for."""
    first = inputs[0]
    rows = inputs[3] if len(inputs) > 3 else first.shape[0]  # of graphs: their number
    wanted = (rows, first.shape[1], outputs) if of_steps else (rows, outputs)
    if not isinstance(found, Tensor):
        what, hint = f"a {type(found).__name__}", "Return that tensor alone."
    elif tuple(found.shape) != wanted:
        what, hint = f"{tuple(found.shape)}", "The last axis is `outputs`, which it is built with."
    elif not found.is_floating_point():
        what, hint = f"{found.dtype}", "Return logits, not the classes that follow from them."
    else:
        return
    message = f"{name} returns {what} for inputs {tuple(first.shape)}, but has to return {wanted}"
    raise UserError(message, hint=hint)
