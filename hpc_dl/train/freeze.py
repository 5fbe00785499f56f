"""Frozen parts of networks: parameters, and the statistics of the batch norm layers they are of."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hpc_dl.errors import UserError
from hpc_dl.run.initial_weights import tensor_name


class FrozenStatistics(_BatchNorm):
    """A batch norm layer that normalises by statistics that stay: a mixin before its own class."""

    def train(self, mode: bool = True) -> FrozenStatistics:
        """Stay in evaluation mode."""
        return super().train(False)


@functools.cache
def _frozen(kind: Any) -> Any:
    return type(f"Frozen{kind.__name__}", (FrozenStatistics, kind), {})


def freeze(networks: Mapping[str, nn.Module], names: set[str]) -> None:
    """Freeze the tensors of these names. Raises UserError where nothing is left to train."""
    for player, network in networks.items():
        for key, parameter in network.named_parameters():
            if tensor_name(f"{player}/{key}") in names:
                parameter.requires_grad_(False)
        for path, layer in network.named_modules():
            tensors = [tensor_name(f"{player}/{path}.{key}") for key in layer.state_dict()]
            if isinstance(layer, _BatchNorm) and names.intersection(tensors):
                kind: Any = type(layer)
                layer.__class__ = _frozen(kind)
                layer.eval()
    if names and not any(p.requires_grad for net in networks.values() for p in net.parameters()):
        raise UserError(
            "model.init_from.freeze leaves nothing to train",
            hint="Leave the last layer out of the patterns.",
        )
