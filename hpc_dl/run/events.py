"""What a run's journal may say: the kinds of events, and the types of what they hold.

state     state (see STATES), reason: the run's life, section by section; with attempt: what
          was decided about going on after that attempt
started   attempt, step, cut, world_size, device, environment, monitor (the metric of
          validation that is monitored): a worker begins at `step`; what was journalled from
          byte `cut` on belongs to steps that are trained again
progress  epoch, epochs, step, steps, examples_per_second, seconds_left
metrics   step, epoch, values: {"train/loss": ...}, also val/ and test/: of the weights of
          that step, so that test/ may be of an earlier one than was journalled before
system    step, values: {"system/cpu_utilization_percentage": ...}
artifact  step, path (in the run folder), caption
saved     step, path (in the run folder), best, seconds, held (the training, meanwhile)
heartbeat at, idle, behind: of every rank, the place (in steps) and the seconds without
          progress; and the ranks that the others wait for
warning   message
summary   parameters, seconds, seconds_per_step, peak_memory (bytes); values, of the test;
          weights (see Weights), which are tested, drawn and exported; validation, of these
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

STATES = (
    "planned",
    "running",
    "requeued",
    "completed",
    "failed",
    "cancelled",
    "timeout",
    "stopped",
)
"""Written by hpcdl; `queued` is what Slurm says of a planned or requeued run."""

ENDED = frozenset({"completed", "failed", "cancelled", "timeout", "stopped"})

Event = dict[str, Any]


def parse(line: bytes) -> Event | None:
    """The event in a line of the journal; None where it is none, or not as documented.

    A required field is there, and of its type; `values` are always there, and numbers or strings.
    Any other documented field is absent, None, or of its type. Fields and kinds that are not
    documented are another hpcdl's, and stay as they are.
    """
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or not isinstance(kind := event.get("event"), str):
        return None
    required = _REQUIRED.get(kind)
    if required is None:
        return event
    if any(event.get(name) is None for name in required):
        return None
    for name, value in event.items():
        fits = _TYPES.get(name)
        if value is not None and fits is not None and not fits(value):
            return None
    if kind in ("metrics", "system"):
        values = event.get("values") or {}
        event["values"] = {name: it for name, it in values.items() if _is_value(it)}
    return event


def _is_number(value: Any) -> bool:
    """Whether it is finite, and a float can hold it."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return -sys.float_info.max <= value <= sys.float_info.max


def _is_value(value: Any) -> bool:
    """Whether it is the value of a metric: "nan", "inf" and "-inf" are strings."""
    return isinstance(value, str) or _is_number(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_time(value: Any) -> bool:
    """Whether it is a number of seconds that the calendar has."""
    return _is_number(value) and 0 <= value < 1e11


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _is_environment(value: Any) -> bool:
    """Whether it is what a worker found on its node."""
    if not isinstance(value, dict):
        return False
    nested = all(isinstance(value.get(key) or {}, dict) for key in ("slurm", "packages"))
    return nested and isinstance(value.get("host") or "", str)


def _are_numbers(value: Any) -> bool:
    """Whether it is a list with a number for every rank."""
    return isinstance(value, list) and len(value) > 0 and all(map(_is_number, value))


_REQUIRED: dict[str, tuple[str, ...]] = {
    "state": ("state",),
    "started": ("step",),
    "progress": ("step", "epoch"),
    "metrics": ("step",),
    "system": ("step",),
    "artifact": ("path",),
    "saved": ("step",),
    "heartbeat": ("t", "idle"),
    "warning": ("message",),
    "summary": (),
}
_TYPES: dict[str, Callable[[Any], bool]] = {
    "t": _is_time,
    "state": lambda value: value in STATES,
    **dict.fromkeys(("step", "steps", "epoch", "epochs", "cut", "world_size"), _is_count),
    **dict.fromkeys(("parameters", "peak_memory"), _is_count),
    **dict.fromkeys(("seconds", "held", "seconds_left"), _is_number),
    **dict.fromkeys(("examples_per_second", "seconds_per_step"), _is_number),
    **dict.fromkeys(("reason", "attempt", "device", "path", "caption"), _is_text),
    **dict.fromkeys(("message", "behind"), _is_text),
    "best": lambda value: isinstance(value, bool),
    **dict.fromkeys(("values", "weights", "validation"), _is_mapping),
    "monitor": _is_text,
    "environment": _is_environment,
    **dict.fromkeys(("at", "idle"), _are_numbers),
}
