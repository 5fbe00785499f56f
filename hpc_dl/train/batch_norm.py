"""Batch normalisation whose statistics are those of all ranks' examples together, exactly.

Like torch.nn.SyncBatchNorm, which works on GPUs alone and takes a rank's dummy example for a real
one. With x over the N values that a channel has in the batch of all ranks,

    y = weight (x - mean) / sqrt(var + eps) + bias,    mean = 1/N Σ x,    var = 1/N Σ (x - mean)².
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from hpc_dl.errors import first_few
from hpc_dl.planning import batch_division
from hpc_dl.planning.plan import Plan


class Synchronised(_BatchNorm):
    """A batch norm layer that has been given to `synchronise`; a mixin before its own class."""

    plain: ClassVar[Any]
    """What it was, and is again after `separate`."""
    dummy = False
    """Whether what passes is an example of a rank without any, and is not to count."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, ...) to the same shape; in training the ranks wait for each other."""
        self._check_input_dim(input)
        if not self.training:
            return super().forward(input)
        values = input.to(torch.promote_types(input.dtype, torch.float32))
        mean, variance, count = self._statistics(values)
        if values.numel() == values.shape[1]:  # and then maybe on no other rank
            problem = f"batch norm of a single value per channel: {list(input.shape)}"
            torch._assert_async(count > 1, problem)  # which is for the device to see
        self._track(mean.detach(), variance.detach(), count)
        scale = (variance + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight
        outputs = _along_channels(scale, values) * (values - _along_channels(mean, values))
        if self.bias is not None:
            outputs = outputs + _along_channels(self.bias, values)
        return outputs.to(input.dtype)

    def _statistics(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and variance of each channel, (C,), and of how many values they are, (1,)."""
        share = 0.0 if self.dummy else 1.0
        axes = [axis for axis in range(values.dim()) if axis != 1]
        held = values.new_full((1,), values.numel() / values.shape[1])
        sums = _SumOverRanks.apply(share * torch.cat([values.sum(axes), held]))
        count = sums[-1:].detach()
        mean = sums[:-1] / count
        squares = (values - _along_channels(mean, values)).square().sum(axes)
        return mean, _SumOverRanks.apply(share * squares) / count, count

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Let the running statistics follow, as torch does: of the variance, the unbiased one."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        unbiased = variance * (count / (count - 1).clamp(min=1))
        for running, new in ((self.running_mean, mean), (self.running_var, unbiased)):
            if self.momentum is None:
                running.add_((new - running) / self.num_batches_tracked)
            else:
                running.lerp_(new.to(running.dtype), self.momentum)


def _along_channels(values: Tensor, like: Tensor) -> Tensor:
    return values.view(1, -1, *[1] * (like.dim() - 2))


class _SumOverRanks(torch.autograd.Function):
    """The sum of all ranks' tensors, on each of them; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _SumOverRanks.apply(gradient)


class _OfAnyShape(_BatchNorm):
    """What torch's SyncBatchNorm is without other ranks."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")


@functools.cache
def _synchronised(kind: Any) -> Any:
    """The class of layers of a kind, synchronised."""
    plain = _OfAnyShape if issubclass(kind, nn.SyncBatchNorm) else kind
    return type(f"Synchronised{plain.__name__}", (Synchronised, plain), {"plain": plain})


def layers(network: nn.Module) -> dict[str, _BatchNorm]:
    """The layers that compute with the statistics of a batch, by name."""
    return {
        name: it
        for name, it in network.named_modules()
        if isinstance(it, _BatchNorm) and (it.training or it.running_mean is None)
    }


def synchronise(network: nn.Module, *, everywhere: bool) -> None:
    """Have batch norm layers share their statistics among the ranks: those that ask for it
    themselves, as torch's SyncBatchNorm does, or those `everywhere`.

    The layers stay the same objects, with the same parameters and names. One that has a `forward`
    of its own is left as it is.
    """
    for layer in layers(network).values():
        kind: Any = type(layer)
        asks = issubclass(kind, nn.SyncBatchNorm)
        ours = kind.forward in (_BatchNorm.forward, nn.SyncBatchNorm.forward)
        if ours and (asks or everywhere):
            layer.__class__ = _synchronised(kind)


def separate(network: nn.Module) -> None:
    """Have each rank take its own statistics again, when the others are gone."""
    for layer in network.modules():
        if isinstance(layer, Synchronised):
            layer.__class__ = layer.plain


def of_each_rank(nets: Mapping[str, nn.Module]) -> list[str]:
    """The names of the layers whose statistics are those of what one rank computes at once."""
    return [
        f"{player}.{name}" if len(nets) > 1 else name
        for player, net in nets.items()
        for name, layer in layers(net).items()
        if not isinstance(layer, Synchronised)
    ]


@contextmanager
def of_a_dummy(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Have what passes meanwhile, an example of a rank without any, count in no statistics."""
    found = [layer for network in networks for layer in layers(network).values()]
    shared = [layer for layer in found if isinstance(layer, Synchronised)]
    others = [layer for layer in found if not isinstance(layer, Synchronised) and layer.training]
    _mark(shared, others, True)
    try:
        yield
    finally:
        _mark(shared, others, False)


def _mark(shared: list[Synchronised], others: list[_BatchNorm], dummy: bool) -> None:
    for layer in shared:
        layer.dummy = dummy
    for other in others:
        other.training = not dummy


def warning(
    nets: Mapping[str, nn.Module], plan: Plan, ranks: int, *, synchronised: bool
) -> str | None:
    """What there is to say of layers by which the losses depend on how a batch is divided."""
    names, accumulates = of_each_rank(nets), plan.micro_batches > 1
    if names and (ranks > 1 or accumulates):
        return (
            f"batch norm ({first_few(names, 8)}) takes its statistics of the {plan.micro_batch} "
            "examples that a rank computes at once: the losses depend on the number of ranks; "
            f"{batch_division.remedy(ranks, accumulates)}"
        )
    if synchronised and not any(layers(net) for net in nets.values()):
        return "train.sync_batch_norm changes nothing: there is no batch norm"
    return None
