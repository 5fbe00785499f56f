"""Reproducibility: deterministic algorithms, rounding, and random seeds as functions of step and
rank."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from hpc_dl.data.sampler import mix_seed

STEP, EVALUATION, DRAWING, INITIALISATION = range(4)
"""Purposes of random numbers; each has a stream of its own."""
WORKSPACE = ":4096:8"
"""With it cuBLAS uses one workspace a stream again and again, and sums in the same order."""
_NON_DETERMINISTIC = re.compile(
    r"(\S.*?) (does not have a deterministic implementation"
    r"|defaults to a non-deterministic algorithm)"  # so do kernels of attention
)
_FUSED_ATTENTION = (
    torch.backends.cuda.enable_flash_sdp,
    torch.backends.cuda.enable_mem_efficient_sdp,
    torch.backends.cuda.enable_cudnn_sdp,
)


def seed_generators(device: torch.device, *key: int) -> None:
    """Seed torch's generators with a hash of `key`, so that nothing is remembered between steps."""
    value = mix_seed(*key)
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index].manual_seed(value)


def use_deterministic_algorithms(wanted: bool) -> None:
    """Choose deterministic algorithms, or the fastest ones; call it before CUDA starts.

    An operation without a deterministic implementation still runs; `warn_nondeterministic` reports
    it.
    """
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", WORKSPACE)
    # `torch.use_deterministic_algorithms` does the same, and imports torch's compiler.
    torch.set_deterministic_debug_mode("warn" if wanted else "default")
    torch.backends.cudnn.benchmark = not wanted
    if torch.cuda.is_available():
        for enable in _FUSED_ATTENTION:  # deterministic only where torch is to raise, not to warn
            enable(not wanted)
    # It would fill what `empty` returns, which hpcdl and torch never read, on every call.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def use_tf32(wanted: bool | None) -> None:
    """Allow TF32 in fp32 products on GPUs, or forbid it; None leaves torch's defaults."""
    if wanted is not None:
        torch.backends.cuda.matmul.allow_tf32 = wanted
        torch.backends.cudnn.allow_tf32 = wanted


@contextmanager
def warn_nondeterministic(warn: Callable[[str], None]) -> Iterator[None]:
    """Pass torch's warnings of operations without a deterministic implementation to `warn`."""
    with warnings.catch_warnings():
        warnings.filterwarnings("once", _NON_DETERMINISTIC.pattern)
        show = warnings.showwarning

        def report(message: Warning | str, *where: object, **more: object) -> None:
            if found := _NON_DETERMINISTIC.match(str(message)):
                warn(
                    f"{found[1]} has no deterministic implementation in torch {torch.__version__}: "
                    "on a GPU a run that is repeated, or killed and resumed, may end with other "
                    "bits; train.deterministic=false computes all else faster"
                )
            else:
                show(message, *where, **more)  # type: ignore[arg-type]

        warnings.showwarning = report
        yield
