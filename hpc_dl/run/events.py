"""The events of a journal: their fields, and the types of these.

state     state (see STATES), reason: the run's life, section by section; with attempt: what
          was decided about a requeue after that attempt
started   attempt, step, cut, world_size, device, environment, monitor (the monitored
          validation metric): a worker begins at `step`; events from byte `cut` on belong to
          steps that are trained again
warm_start  source (of the weights that it begins with), taken, frozen (numbers of tensors: all
          that were taken, and those of them that are not trained), new, left: {name: reason} of
          the networks' tensors that were made anew, and of those there that were not taken
progress  epoch, epochs, step, steps, examples_per_second, seconds_left
metrics   step, epoch, values: {"train/loss": ...}, also val/ and test/: of the weights of
          that step, so that test/ may be of an earlier one than was journalled before
system    step, values: {"system/cpu_utilization_percentage": ...}
artifact  step, path (in the run folder), caption
saved     step, path (in the run folder), best, seconds, held (seconds without training)
heartbeat at, idle, behind: the step, -1 while it loads, and the seconds without progress of every
          rank; the ranks that the others wait for
usage     attempt; what it has used so far, see hpc_dl.usage.usage.Usage; idle_gpus: the GPUs that
          idle now, and why, as a sentence
report    step, values: {"usage/hours": ...}, path (in the run folder), advice: of all attempts
notified  on, delivered, message, calls: a notification, what was wrong with it, and how many
          processes have tried
warning   message
summary   parameters, seconds, seconds_per_step, peak_memory (bytes); values (test metrics);
          weights (see Weights) that are tested, drawn and exported; validation (their metrics)
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
    "paused",
    "completed",
    "failed",
    "cancelled",
    "timeout",
    "stopped",
)
"""States in the journal; `hpcdl status` also shows `queued`, which only the scheduler knows."""

ENDED = frozenset({"paused", "completed", "failed", "cancelled", "timeout", "stopped"})
"""States without a job; a `paused` run has trained to `Plan.pause_at`, and goes on once that is
another."""

Event = dict[str, Any]


def parse(line: bytes) -> Event | None:
    """Parse a line of the journal; return None unless it is an event as documented.

    Required fields are present, and of their type; `values` are numbers or strings. Any other
    documented field is absent, None, or of its type. Unknown fields and kinds are kept: another
    version of hpcdl has written them.
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
    if kind in ("metrics", "system", "report"):
        values = event.get("values") or {}
        event["values"] = {name: it for name, it in values.items() if _is_value(it)}
    return event


def _is_number(value: Any) -> bool:
    """Return whether it is a finite number that fits into a float."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return -sys.float_info.max <= value <= sys.float_info.max


def _is_value(value: Any) -> bool:
    """Return whether it is the value of a metric: "nan", "inf" and "-inf" are strings."""
    return isinstance(value, str) or _is_number(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_time(value: Any) -> bool:
    """Return whether it is a valid time in seconds since 1970."""
    return _is_number(value) and 0 <= value < 1e11


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _is_environment(value: Any) -> bool:
    """Return whether it is the environment that a worker found on its node."""
    if not isinstance(value, dict):
        return False
    nested = all(isinstance(value.get(key) or {}, dict) for key in ("slurm", "packages"))
    return nested and isinstance(value.get("host") or "", str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _are_numbers(value: Any) -> bool:
    """Return whether it is a list of numbers, one for each rank."""
    return isinstance(value, list) and len(value) > 0 and all(map(_is_number, value))


_REQUIRED: dict[str, tuple[str, ...]] = {
    "state": ("state",),
    "started": ("step",),
    "warm_start": ("source",),
    "progress": ("step", "epoch"),
    "metrics": ("step",),
    "system": ("step",),
    "artifact": ("path",),
    "saved": ("step",),
    "heartbeat": ("t", "idle"),
    "usage": ("attempt",),
    "report": ("step", "path"),
    "notified": ("t", "on"),
    "warning": ("message",),
    "summary": (),
}
_TYPES: dict[str, Callable[[Any], bool]] = {
    "t": _is_time,
    "state": lambda value: value in STATES,
    **dict.fromkeys(("step", "steps", "epoch", "epochs", "cut", "world_size", "calls"), _is_count),
    **dict.fromkeys(("parameters", "peak_memory", "taken", "frozen"), _is_count),
    **dict.fromkeys(("seconds", "held", "seconds_left"), _is_number),
    **dict.fromkeys(("examples_per_second", "seconds_per_step"), _is_number),
    **dict.fromkeys(("reason", "attempt", "device", "path", "caption", "source"), _is_text),
    **dict.fromkeys(("message", "behind", "idle_gpus", "on"), _is_text),
    **dict.fromkeys(("best", "delivered"), lambda value: isinstance(value, bool)),
    **dict.fromkeys(("values", "weights", "validation", "new", "left"), _is_mapping),
    "monitor": _is_text,
    "environment": _is_environment,
    **dict.fromkeys(("at", "idle"), _are_numbers),
    "advice": _are_texts,
}
