"""Values with a unit: Slurm's times and memory sizes, and how often to checkpoint."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator

_TIME_FORMS = "minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes, \
days-hours:minutes:seconds"
_BYTES = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def seconds(text: str) -> int:
    """Return a Slurm time in seconds: `90` and `24:00` are minutes first, `1-12:00:00` is 36 hours.

    Raises ValueError on any other form.
    """
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text.strip())
    if not match:
        raise ValueError(f"'{text}' is not a time; Slurm's forms are {_TIME_FORMS}")
    days, *rest = match.groups()
    first, second, third = (int(part) if part else 0 for part in rest)
    if days is not None:
        total = int(days) * 86400 + first * 3600 + second * 60 + third
    elif rest[2] is not None:
        total = first * 3600 + second * 60 + third
    else:
        total = first * 60 + second
    if total == 0:
        raise ValueError("the time limit is zero")
    return total


def clock(total: float) -> str:
    """Return seconds as Slurm writes them: `01:30:00`, `1-12:00:00`."""
    days, rest = divmod(round(total), 86400)
    text = f"{rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days}-{text}" if days else text


def roughly(total: float) -> str:
    """Return seconds in the largest unit of which there is one: `12 min`."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if total >= size:
            return f"{total // size:.0f} {unit}"
    return f"{total:.0f} s"


def count(number: int, noun: str, plural: str = "s") -> str:
    """Return a number with its noun: `1 value`, `2 values`."""
    return f"{number} {noun}{'' if number == 1 else plural}"


def bytes_of(text: str) -> int:
    """Return a Slurm memory size in bytes; without a suffix it is in megabytes, as for sbatch."""
    match = re.fullmatch(r"(\d+)([KMGT])?B?", text.strip(), re.IGNORECASE)
    if not match:
        raise ValueError(f"'{text}' is not a memory size; write it like 4000M or 32G")
    return int(match[1]) * _BYTES[(match[2] or "M").upper()]


@dataclass(frozen=True)
class Every:
    """An interval of training: a number of epochs, steps, or minutes."""

    count: float
    unit: Literal["epoch", "steps", "min"]


def every(text: str) -> Every:
    """Parse `1 epoch`, `500 steps`, `10 min`. Raises ValueError on any other form."""
    match = re.fullmatch(
        r"(\d+(?:\.\d+)?)\s*(epochs?|steps?|min|minutes?|h|hours?)", text.strip(), re.IGNORECASE
    )
    if not match or float(match[1]) <= 0:
        raise ValueError(f"'{text}' is not an interval; write it like 1 epoch, 500 steps or 10 min")
    count, unit = float(match[1]), match[2].lower()[0]
    if unit in "es" and not count.is_integer():
        raise ValueError(f"'{text}': epochs and steps are whole numbers")
    if unit == "h":
        return Every(count * 60, "min")
    return Every(count, {"e": "epoch", "s": "steps", "m": "min"}[unit])  # type: ignore[arg-type]


def _checked_by(parse: object) -> AfterValidator:
    def check(text: str) -> str:
        parse(text)  # type: ignore[operator]
        return text

    return AfterValidator(check)


_number_as_text = BeforeValidator(lambda v: str(v) if type(v) is int else v)

Time = Annotated[str, _number_as_text, _checked_by(seconds)]
Memory = Annotated[str, _number_as_text, _checked_by(bytes_of)]
Interval = Annotated[str, _checked_by(every)]
