"""Undo what drawing has changed: a picture, maybe a user's, leaves the training as it was."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from hpc_dl.data.user_functions.call import settings_restored
from hpc_dl.jobspec import units
from hpc_dl.user_code.failures import Stopped


def _matmul_precision() -> str | None:
    """Return the precision; None where a user's code has set it in torch's newer way."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return None


_Setting = tuple[Callable[[], Any], Callable[[Any], Any]]
"""How a setting of the process is read, and how it is set."""

_GENERATORS: tuple[_Setting, ...] = (
    (random.getstate, random.setstate),
    (np.random.get_state, np.random.set_state),
    (torch.get_rng_state, torch.set_rng_state),
)
_SETTINGS: tuple[_Setting, ...] = (
    (torch.get_num_threads, torch.set_num_threads),
    (_matmul_precision, torch.set_float32_matmul_precision),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (
        torch.are_deterministic_algorithms_enabled,
        lambda wanted: torch.use_deterministic_algorithms(wanted, warn_only=True),
    ),
    (
        lambda: torch.backends.cudnn.benchmark,
        lambda on: setattr(torch.backends.cudnn, "benchmark", on),
    ),
)


@contextlib.contextmanager
def undone(nets: Mapping[str, nn.Module]) -> Iterator[None]:
    """Restore networks, random numbers and settings of the process at the end of the context."""
    generators = [(restore, read()) for read, restore in _GENERATORS]
    settings = [(read, restore, read()) for read, restore in _SETTINGS]
    with settings_restored(), contextlib.ExitStack() as stack, warnings.catch_warnings():
        for net in nets.values():
            stack.callback(_kept(net))
        try:
            yield
        finally:
            for restore, value in generators:
                restore(value)
            for read, restore, value in settings:
                if read() != value:  # to set threads anew may change how MKL uses them
                    restore(value)


def _kept(net: nn.Module) -> Callable[[], None]:
    """Keep a copy of a network in main memory; return what puts it back, into the same tensors."""
    parts = [vars(module) for module in net.modules()]
    dicts = [it for part in parts for it in (part, *part.values()) if isinstance(it, dict)]
    contents = [(it, dict(it)) for it in dicts]
    tensors = [
        (it, it.data, it.data.to("cpu", copy=True), it.requires_grad, it.grad)
        for it in (*net.parameters(), *net.buffers())
    ]

    def restore() -> None:
        for it, content in contents:
            it.clear()
            it.update(content)
        for tensor, data, copy, is_trained, gradient in tensors:
            tensor.data = data  # another one after `net.half()`
            data.copy_(copy)
            tensor.requires_grad_(is_trained)
            tensor.grad = gradient

    return restore


@contextlib.contextmanager
def limited(hang_timeout: float) -> Iterator[None]:
    """Raise Stopped in the context once it has taken half of the time, in seconds, after which the
    ranks would be taken to hang."""
    if threading.current_thread() is not threading.main_thread():  # which signals interrupt
        yield
        return

    seconds = hang_timeout / 2

    def stop(*_: object) -> None:
        raise Stopped(f"not done after {units.roughly(seconds)}, half of train.hang_timeout")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)  # again, if one picture of many is done
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
