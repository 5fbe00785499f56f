"""Undo what drawing has changed: a picture, maybe a user's, leaves the training as it was."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from hpc_dl.jobspec import units
from hpc_dl.user_code.failures import Stopped

_SETTINGS: tuple[tuple[Callable[[], Any], Callable[[Any], Any]], ...] = (
    (random.getstate, random.setstate),
    (np.random.get_state, np.random.set_state),
    (torch.get_rng_state, torch.set_rng_state),
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (
        torch.are_deterministic_algorithms_enabled,
        lambda wanted: torch.use_deterministic_algorithms(wanted, warn_only=True),
    ),
    (
        lambda: torch.backends.cudnn.benchmark,
        lambda on: setattr(torch.backends.cudnn, "benchmark", on),
    ),
    (lambda: None, torch.set_default_device),
    (os.getcwd, os.chdir),
)
"""How a setting of the process is read, and how it is set."""


@contextlib.contextmanager
def undone(nets: Mapping[str, nn.Module]) -> Iterator[None]:
    """Restore networks, random numbers and settings of torch at the end of the context."""
    before = [(restore, read()) for read, restore in _SETTINGS]
    with contextlib.ExitStack() as stack, warnings.catch_warnings():
        for net in nets.values():
            stack.callback(_kept(net))
        try:
            yield
        finally:
            for restore, value in before:
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
def limited(seconds: float) -> Iterator[None]:
    """Raise Stopped in the context once it has taken so many seconds."""
    if threading.current_thread() is not threading.main_thread():  # which signals interrupt
        yield
        return

    def stop(*_: object) -> None:
        raise Stopped(f"not done after {units.roughly(seconds)}")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)  # again, if one picture of many is done
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
