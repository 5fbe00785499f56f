"""Deterministic algorithms: the same bits from the same step, on a GPU as on a CPU."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

WORKSPACE = ":4096:8"
"""cuBLAS reuses one workspace a stream with it, and so sums in the same order every time."""
_WITHOUT = re.compile(
    r"(\S.*?) (does not have a deterministic implementation"
    r"|defaults to a non-deterministic algorithm)"  # so do kernels of attention
)
_FUSED_ATTENTION = (
    torch.backends.cuda.enable_flash_sdp,
    torch.backends.cuda.enable_mem_efficient_sdp,
    torch.backends.cuda.enable_cudnn_sdp,
)


def use_deterministic_algorithms(wanted: bool) -> None:
    """Have torch compute the same bits each time, or as fast as it can; before CUDA starts.

    An operation that has no deterministic implementation runs all the same; see `reported`.
    """
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", WORKSPACE)
    torch.use_deterministic_algorithms(wanted, warn_only=True)
    torch.backends.cudnn.benchmark = not wanted
    if torch.cuda.is_available():
        for enable in _FUSED_ATTENTION:  # deterministic only where torch is to raise, not to warn
            enable(not wanted)
    # It would fill what `empty` returns, which hpcdl and torch never read, on every call.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


@contextmanager
def reported(warn: Callable[[str], None]) -> Iterator[None]:
    """Pass torch's warnings of operations without a deterministic implementation on to `warn`."""
    with warnings.catch_warnings():
        warnings.filterwarnings("once", _WITHOUT.pattern)
        show = warnings.showwarning

        def report(message: Warning | str, *where: object, **more: object) -> None:
            if found := _WITHOUT.match(str(message)):
                warn(
                    f"{found[1]} has no deterministic implementation in torch {torch.__version__}: "
                    "on a GPU a run that is repeated, or killed and resumed, may end with other "
                    "bits; train.deterministic=false computes all else faster"
                )
            else:
                show(message, *where, **more)  # type: ignore[arg-type]

        warnings.showwarning = report
        yield
