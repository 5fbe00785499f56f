"""Model FLOPs of a training step: the floating-point operations of its forward and backward pass.

Matrix products, convolutions and attention count, a multiplication and an addition as 2. What is
computed a second time to save memory does not (Chowdhery et al., arXiv:2204.02311, appendix B), so
that the backward pass of attention has twice the FLOPs of its forward pass, whatever the kernel.
"""

from __future__ import annotations

import functools
import re
import sys
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import conv_flop_count, flop_registry, sdpa_flop_count

from hpc_dl.data.sampler import Batches
from hpc_dl.train import side_effects
from hpc_dl.train.distribute import trained_players
from hpc_dl.train.engine import Engine
from hpc_dl.train.reproducibility import STEP, seed_generators

EXAMPLES = 2
"""Batch norm needs two."""
SHORTER = 0.01
"""Share of the examples that may be shorter than the others: they count as if they were not."""
_ATTENTION = (
    "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_cudnn_attention",
    "_scaled_dot_product_flash_attention_for_cpu",
)
_PRODUCT = re.compile(
    r"(^|_)conv|(mm|mv|dot)(_|$)|attention|cdist|fft|gru|linalg|lstm|rnn|sparse|trilinear$"
)
"""Names of operations that multiply matrices."""
_HARMLESS = frozenset(("linalg_cross", "linalg_diagonal", "linalg_vector_norm"))
_NAMESPACES = frozenset(("aten", "c10d", "_c10d_functional", "fsdp", "prim", "prims", "profiler"))
"""Whose operations are known by their names; a library's own may multiply anything."""


@dataclass(frozen=True)
class Flops:
    """Floating-point operations, or so many a second."""

    convolutions: float
    products: float
    """Of other products of matrices, attention among them."""

    @property
    def total(self) -> float:
        return self.convolutions + self.products

    def seconds_at(self, peak: Flops) -> float:
        """Return the seconds that they take at so many a second."""
        return self.convolutions / peak.convolutions + self.products / peak.products


class NotCounted(Exception):
    """Why the FLOPs of a step are not known."""


def of_example(engine: Engine, batches: Batches) -> dict[str, Flops]:
    """Return the model FLOPs of an example in an update of each player. Raises NotCounted.

    They are counted in a pass over two examples, which leaves weights, buffers and random numbers
    as they are. All ranks call this together, before their networks are wrapped by DDP.
    """
    if engine.architecture.facts.modality == "graph":
        raise NotCounted("graphs differ in size")
    lengths = batches.split.lengths
    if lengths is not None and (lengths < lengths.max()).float().mean() > SHORTER:
        raise NotCounted("the examples differ in length")
    engine.buffers.save()
    try:
        with side_effects.undone({}), _eager():
            warnings.simplefilter("ignore")  # until the end of that: the first step has the same
            return {name: _of_player(engine, batches, name) for name in trained_players(engine)}
    except Exception as error:  # what fails here fails in the first step, with a better message
        raise NotCounted(str(error).partition("\n")[0]) from None
    finally:
        engine.buffers.restore()
        for network in engine.unwrapped.values():
            network.zero_grad()


def _eager() -> AbstractContextManager[Any]:
    """Have a network that a user has compiled computed operation by operation."""
    if "torch._dynamo" not in sys.modules:  # which takes more than a second to import
        return nullcontext()
    return torch.compiler.set_stance("force_eager")


def _of_player(engine: Engine, batches: Batches, player: str) -> Flops:
    batch, counter = batches.first_examples(EXAMPLES), FlopCounter()
    seed_generators(engine.world.device, engine.seed, STEP, 0, engine.world.rank)
    with engine.only_trainable(player), counter:
        if engine.carry is None:
            loss = engine.architecture.loss(engine.nets, batch, player)
        else:
            loss, _ = engine.architecture.carried_loss(engine.nets, batch, player, None)
        engine.backward(player, loss.total / loss.count)
    if counter.unknown:
        raise NotCounted(f"torch does not tell the FLOPs of {', '.join(sorted(counter.unknown))}")
    examples = len(batch["index"])
    return Flops(counter.convolutions / examples, counter.products / examples)


class FlopCounter(TorchDispatchMode):
    """Adds up the FLOPs of operations, and notes those that may multiply matrices uncounted."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = self.products = 0
        self.unknown: set[str] = set()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Import no compiler, which takes more than a second."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        if not _may_multiply(func):
            return found
        formula = _formula(func)
        if formula is None:
            self.unknown.add(func.name().partition(".")[0])
            return found
        flops = formula(*args, **(kwargs or {}), out_val=found)
        if "convolution" in func.name():
            self.convolutions += flops
        else:
            self.products += flops
        return found


@functools.cache
def _may_multiply(func: Any) -> bool:
    """Return whether the name of an operation lets one expect that it multiplies matrices."""
    namespace, _, name = func.name().partition(".")[0].partition("::")
    multiplies = _PRODUCT.search(name) and name not in _HARMLESS
    return namespace not in _NAMESPACES or bool(multiplies)


@functools.cache
def _formula(func: Any) -> Callable[..., int] | None:
    """Return the FLOPs of an operation as a function of what it is given and returns, if known."""
    name = func.name().partition(".")[0].removeprefix("aten::")
    if name in _ATTENTION:
        return _attention
    if name.removesuffix("_backward") in _ATTENTION:
        return _attention_backward
    if name == "convolution_backward":
        return _convolution_backward
    return None if "attention" in name else flop_registry.get(func.overloadpacket)


def _convolution_backward(
    gradient: Tensor, given: Tensor, weight: Tensor, *options: Any, out_val: Any
) -> int:
    """Return the FLOPs of the gradients that are asked for, of the inputs and of the weights: each
    takes those of the forward pass. torch's own formula has too many of grouped convolutions."""
    *_, transposed, _, _, wanted = options
    sizes = list(given.shape), list(weight.shape), list(gradient.shape)
    return sum(wanted[:2]) * conv_flop_count(*sizes, transposed)


def _attention(query: Tensor, key: Tensor, value: Tensor, *_: Any, out_val: Any, **__: Any) -> int:
    return sdpa_flop_count(query.shape, key.shape, value.shape)


def _attention_backward(gradient: Tensor, *given: Any, out_val: Any, **options: Any) -> int:
    return 2 * _attention(*given, out_val=out_val, **options)
