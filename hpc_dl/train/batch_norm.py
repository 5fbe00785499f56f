"""Synchronised batch norm: statistics of the examples of all ranks together, exactly.

Like torch.nn.SyncBatchNorm, which works on GPUs alone and counts a rank's dummy batch like a real
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
    """A batch norm layer after `synchronise`: a mixin before its own class."""

    plain: ClassVar[Any]
    """The class before `synchronise`, and again after `desynchronise`."""
    is_dummy = False
    """True while a dummy batch passes, which does not count."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (B, C, ...); in training the ranks wait for each other."""
        self._check_input_dim(input)
        if not self.training:
            return super().forward(input)
        values = input.to(torch.promote_types(input.dtype, torch.float32))
        mean, variance, count = self._statistics(values)
        if values.numel() == values.shape[1]:  # maybe not so on another rank
            problem = f"batch norm of a single value per channel: {list(input.shape)}"
            torch._assert_async(count > 1, problem)  # checked on the device
        self._track(mean.detach(), variance.detach(), count)
        scale = (variance + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight
        outputs = _along_channels(scale, values) * (values - _along_channels(mean, values))
        if self.bias is not None:
            outputs = outputs + _along_channels(self.bias, values)
        return outputs.to(input.dtype)

    def _statistics(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean and variance of each channel, (C,), and the number of values, (1,)."""
        share = 0.0 if self.is_dummy else 1.0
        axes = [axis for axis in range(values.dim()) if axis != 1]
        held = values.new_full((1,), values.numel() / values.shape[1])
        sums = _SumOverRanks.apply(share * torch.cat([values.sum(axes), held]))
        count = sums[-1:].detach()
        mean = sums[:-1] / count
        squares = (values - _along_channels(mean, values)).square().sum(axes)
        return mean, _SumOverRanks.apply(share * squares) / count, count

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Update the running statistics as torch does: with the unbiased variance."""
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
    """All-reduce (sum) whose gradient is the all-reduced gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _SumOverRanks.apply(gradient)


class _OfAnyShape(_BatchNorm):
    """Batch norm for inputs of any number of dimensions: torch's SyncBatchNorm on one rank."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")


@functools.cache
def _synchronised(kind: Any) -> Any:
    """Return the synchronised class of a batch norm class."""
    plain = _OfAnyShape if issubclass(kind, nn.SyncBatchNorm) else kind
    return type(f"Synchronised{plain.__name__}", (Synchronised, plain), {"plain": plain})


def layers(network: nn.Module) -> dict[str, _BatchNorm]:
    """Return the layers that use the statistics of a batch, by name."""
    return {
        name: it
        for name, it in network.named_modules()
        if isinstance(it, _BatchNorm) and (it.training or it.running_mean is None)
    }


def synchronise(network: nn.Module, *, everywhere: bool) -> None:
    """Synchronise all batch norm layers over the ranks, or else only torch's SyncBatchNorm layers.

    The layers stay the same objects, with the same parameters and names. One that overrides
    `forward` is left as it is.
    """
    for layer in layers(network).values():
        kind: Any = type(layer)
        is_sync = issubclass(kind, nn.SyncBatchNorm)
        is_known = kind.forward in (_BatchNorm.forward, nn.SyncBatchNorm.forward)
        if is_known and (is_sync or everywhere):
            layer.__class__ = _synchronised(kind)


def desynchronise(network: nn.Module) -> None:
    """Undo `synchronise`: for a rank that computes alone."""
    for layer in network.modules():
        if isinstance(layer, Synchronised):
            layer.__class__ = layer.plain


def unsynchronised(nets: Mapping[str, nn.Module]) -> list[str]:
    """Return the names of the layers whose statistics are those of one rank's micro-batch."""
    return [
        f"{player}.{name}" if len(nets) > 1 else name
        for player, net in nets.items()
        for name, layer in layers(net).items()
        if not isinstance(layer, Synchronised)
    ]


@contextmanager
def excluded_from_statistics(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Exclude what passes meanwhile, a dummy batch, from the statistics."""
    found = [layer for network in networks for layer in layers(network).values()]
    shared = [layer for layer in found if isinstance(layer, Synchronised)]
    others = [layer for layer in found if not isinstance(layer, Synchronised) and layer.training]
    _set_dummy(shared, others, True)
    try:
        yield
    finally:
        _set_dummy(shared, others, False)


def _set_dummy(shared: list[Synchronised], others: list[_BatchNorm], is_dummy: bool) -> None:
    for layer in shared:
        layer.is_dummy = is_dummy
    for other in others:
        other.training = not is_dummy


def warning(
    nets: Mapping[str, nn.Module], plan: Plan, ranks: int, *, synchronised: bool
) -> str | None:
    """Return a warning if losses depend on how a batch is divided, or if an option is unused."""
    names, accumulates = unsynchronised(nets), plan.micro_batches > 1
    if names and (ranks > 1 or accumulates):
        return (
            f"batch norm ({first_few(names, 8)}) takes its statistics of the {plan.micro_batch} "
            "examples that a rank computes at once: the losses depend on the number of ranks; "
            f"{batch_division.remedy(ranks, accumulates)}"
        )
    if synchronised and not any(layers(net) for net in nets.values()):
        return "train.sync_batch_norm changes nothing: there is no batch norm"
    return None
