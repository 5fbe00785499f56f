"""Muon: the weights of hidden layers by orthogonalised momentum, all other parameters by AdamW.

Of the momentum M of a weight's gradient, as a matrix of its outputs by all else, with the singular
values U S V^T, the update is about U V^T: every direction counts as much as any other (Jordan et
al., 2024, https://kellerjordan.github.io/posts/muon). It is scaled so that its numbers are as large
as those of AdamW, and the learning rate and weight decay are the same for both (Liu et al.,
arXiv:2502.16982, equation 4).

torch.optim.Muon takes matrices alone, and neither the filters of convolutions nor biases.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.optimizers import Muon as Options

_COEFFICIENTS = 3.4445, -4.7750, 2.0315
_ITERATIONS = 5
_SMALLEST = 1e-7
_RMS = 0.2
"""Root mean square of the numbers of an update, as a share of the learning rate: AdamW's."""
_HIDDEN = "is_hidden"
"""The key of a parameter group that tells which of both updates it."""


class Muon(torch.optim.Optimizer):
    """Muon for parameter groups of weights of hidden layers, and AdamW for `others`."""

    def __init__(
        self, hidden: list[dict[str, Any]], others: list[dict[str, Any]], options: Options
    ) -> None:
        first, second = options.betas
        self._adamw = torch.optim.AdamW(
            others, betas=(first, second), weight_decay=options.weight_decay, fused=True
        )
        groups = [
            *({**group, _HIDDEN: True} for group in hidden),
            *({**group, _HIDDEN: False} for group in self._adamw.param_groups),
        ]
        defaults = {
            "lr": 1.0,
            "momentum": options.momentum,
            "nesterov": options.nesterov,
            "weight_decay": options.weight_decay,
            "betas": (first, second),
        }
        super().__init__(groups, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update the parameters that have a gradient."""
        for group in self.param_groups:
            for parameter in group["params"] if group[_HIDDEN] else ():
                if parameter.grad is not None:
                    self._update(parameter, group)
        self._adamw.state = self.state  # also after loading a state dict
        self._adamw.param_groups = [it for it in self.param_groups if not it[_HIDDEN]]
        self._adamw.step()

    def _update(self, weight: Tensor, group: dict[str, Any]) -> None:
        state, gradient = self.state[weight], weight.grad
        assert gradient is not None
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        mean = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        if group["nesterov"]:
            mean = gradient.lerp(mean, group["momentum"])
        update = orthogonalised(mean.flatten(1))
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        scale = _RMS * math.sqrt(max(update.shape))
        weight.add_(update.view_as(weight), alpha=-group["lr"] * scale)


def orthogonalised(matrix: Tensor) -> Tensor:
    """Return about U V^T of a matrix U S V^T: its singular values come to lie around 1.

    Five Newton-Schulz iterations of a polynomial of degree 5, in bfloat16 on a GPU, as Jordan et
    al. have it; processors without instructions for bfloat16 would take ten times as long.
    """
    a, b, c = _COEFFICIENTS
    found = matrix.bfloat16() if matrix.is_cuda else matrix
    is_tall = matrix.shape[0] > matrix.shape[1]
    found = found.T if is_tall else found
    found = found / found.norm().clamp(min=_SMALLEST)
    for _ in range(_ITERATIONS):
        gram = found @ found.T
        found = torch.addmm(found, torch.addmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return (found.T if is_tall else found).contiguous()


def hidden_weights(network: nn.Module) -> set[str]:
    """Return the names of the weights that Muon updates: those with two axes or more, of all layers
    but the first, the last and embeddings.

    Raises UserError where there are none.
    """
    layers = [layer for _, layer in network.named_modules() if any(True for _ in _weights(layer))]
    outer = [it for it in layers if isinstance(it, nn.Embedding | nn.EmbeddingBag)]
    outer += [*layers[:1], *layers[-1:]]
    kept = {id(weight) for layer in outer for weight in _weights(layer)}
    inner = {id(weight) for layer in layers for weight in _weights(layer)} - kept
    found = {name for name, it in network.named_parameters() if id(it) in inner}
    if not any(network.get_parameter(name).requires_grad for name in found):
        raise UserError(
            "muon is for weights of hidden layers, and this network trains none: it leaves the "
            "first layer, the last, embeddings, biases and norms to adamw",
            hint="Take name: adamw.",
        )
    return found


def _weights(layer: nn.Module) -> Iterator[nn.Parameter]:
    """Yield a layer's own weights, which layers of torch call so: no bias or position embedding."""
    for name, parameter in layer.named_parameters(recurse=False):
        if "weight" in name and parameter.ndim > 1:
            yield parameter


def describe(network: nn.Module) -> str:
    """Return which parameters Muon updates, for the plan."""
    hidden = hidden_weights(network)
    trained = {name: it.numel() for name, it in network.named_parameters() if it.requires_grad}
    mine = [name for name in trained if name in hidden]
    share = sum(trained[name] for name in mine) / sum(trained.values())
    return (
        f"muon updates {share:.1%} of the parameters, and adamw the others; muon's are "
        f"{first_few(mine, 8)}"
    )
