"""Layout of images: channels first, as in PyTorch, or last, as in most files; pixels in [0, 1].
Light."""

from __future__ import annotations

from hpc_dl.errors import UserError

CHANNELS = (1, 3, 4)
"""Numbers of channels that images have: grey, RGB, and RGB with transparency."""
ROUNDED = 0.01
"""So far beyond [0, 1] pixels come by interpolation and rounding."""


def channels_last(shape: tuple[int, ...], where: str) -> tuple[bool, tuple[str, ...]]:
    """Return whether images (N, a, b, c) have their channels last, and notes for the plan.

    Raises UserError where neither is clear.
    """
    _, first, middle, last = shape
    if last in CHANNELS and first not in CHANNELS:
        size = f"{first} x {middle}"
        return True, (
            f"{where} is read as {size} pixels with {_count(last, 'channel')}, which come last",
        )
    standard = first in CHANNELS and last not in CHANNELS
    if not standard and first not in CHANNELS and _looks_last(first, middle, last):
        raise UserError(
            f"{where} is {shape}: as (N, channels, height, width) it has {first} channels of "
            f"{middle} x {last} pixels",
            hint="If its channels come last, put them first: numpy.moveaxis(x, -1, 1).",
        )
    note = f"{where} is read as {_count(first, 'channel')} of {middle} x {last} pixels"
    return False, () if standard and first != middle else (note,)


def note_time_axis(shape: tuple[int, ...], where: str) -> tuple[str, ...]:
    """Note for the plan which axis of sequences (N, T, F) is read as time."""
    _, steps, features = shape
    return (f"{where} is read as {steps} steps in time of {_count(features, 'number')} each",)


def refuse_scale(low: float, high: float, where: str, otherwise: str = "") -> None:
    """Raise UserError for pixels that are floats outside [0, 1], with how to bring them there.

    `otherwise` is a hint for what may be no images.
    """
    if low >= 0 and high <= 1:
        return
    way = "Images: scale them, (x - x.min()) / (x.max() - x.min())."
    if low >= -ROUNDED and high <= 1 + ROUNDED:
        way = "If images were resized or rounded: x.clip(0, 1)."
    elif -1 <= low < 0 and high <= 1:
        way = "Images in [-1, 1]: (x + 1) / 2."
    elif low >= 0 and 2 < high <= 255:
        way = "Images in [0, 255]: x / 255, or bytes (uint8)."
    raise UserError(
        f"{where} goes from {low:.8g} to {high:.8g}, but floats have to lie in [0, 1]",
        hint=f"{otherwise} {way}".strip(),
    )


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _looks_last(first: int, middle: int, last: int) -> bool:
    """Return whether the last axis is the odd one, and the two before it a picture's sides."""
    return last < min(first, middle) or first == middle != last
