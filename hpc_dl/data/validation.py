"""Checks of examples, whatever source they are from; an error names the place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from hpc_dl.data.exact import MOST_INTEGER
from hpc_dl.data.faults import PLACES, Faults
from hpc_dl.data.layout import refuse_scale
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.suggestions import nearest
from hpc_dl.tasks.statistics import in_parts

AXES = {"image": 4, "sequence": 3, "table": 2}
DARK = 1 / 8
"""As a share of white: images that are all darker are refused."""
_FEW_DIGITS = (torch.float16, torch.bfloat16, torch.float32, torch.bool, torch.uint8, torch.int8)
_LAYOUTS = {"image": "(N, C, H, W)", "sequence": "(N, T, F)", "table": "(N, columns)"}


def to_tensor(value: Any, where: str) -> Tensor:
    """Return a tensor or an array as a tensor."""
    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{where} is no tensor or array: {error}") from None


def check_examples(
    given: Tensor, kind: str, where: str, otherwise: str = "", *, gaps: bool = False
) -> Tensor:
    """Return checked examples: images as bytes or floats in [0, 1], others as finite floats.

    `otherwise` is a hint for images that may be something else, and for NaN among others; with
    `gaps` these may be NaN.
    """
    if given.ndim != AXES[kind] or not given.numel():
        raise UserError(f"{where}: {kind} is {tuple(given.shape)}, but has to be {_LAYOUTS[kind]}")
    if kind == "image":
        return _pixels(given, where, otherwise)
    return check_numbers(given, f"{where}: {kind}", otherwise, gaps=gaps)


def check_numbers(given: Tensor, where: str, otherwise: str = "", *, gaps: bool = False) -> Tensor:
    """Return finite floats, in float64 where float32 may not hold them; see `precision`.

    Raises UserError with the count of examples that are not finite, or that floats cannot hold.
    """
    numbers = Numbers(where, otherwise, gaps=gaps)
    for part in in_parts(given):
        numbers.add(part)
    numbers.refuse()
    return _as_floats(given)


class Numbers:
    """Check of numbers that come in parts: of wrong values the examples are counted.

    With `gaps`, NaN is none of them; else `otherwise` is a hint on it.
    """

    def __init__(self, where: str, otherwise: str = "", *, gaps: bool = False) -> None:
        self._where, self._count, self._gaps = where, 0, gaps
        self._hints = {"nan": f" {otherwise}"} if otherwise else {}
        self._places: dict[str, list[object]] = {}
        self._shown: dict[str, str] = {}

    def add(self, given: Tensor) -> Tensor:
        """Check the next examples, and return them as floats."""
        if given.is_complex():
            raise UserError(f"{self._where} is {given.dtype}, but has to be real numbers")
        floats = _as_floats(given)
        large = floats.isfinite() & (floats.abs() > torch.finfo(torch.float32).max)
        if not given.is_floating_point():
            large |= floats.abs() > MOST_INTEGER
        wrong = {"infinite": floats.isinf(), "too large for floats": large}
        if not self._gaps:
            wrong = {"nan": floats.isnan(), **wrong}
        for what, mask in wrong.items():
            self._note(what, mask, given)
        self._count += len(given)
        return floats

    def _note(self, what: str, mask: Tensor, given: Tensor) -> None:
        rows = mask.reshape(len(mask), -1).any(dim=1).nonzero()[:, 0].tolist()
        if not rows:
            return
        known = self._places.setdefault(what, [])
        wanted = max(0, PLACES - len(known))
        first = [[row, *mask[row].nonzero()[0].tolist()] for row in rows[:wanted]]
        if first:
            value = given[tuple(first[0])].item()
            self._shown.setdefault(what, f"{what}, {value}," if math.isfinite(value) else what)
        shown = len(first) if mask.ndim < 3 else 0  # else the example says enough
        known += [[self._count + row, *place] for row, *place in first[:shown]]
        known += [self._count + row for row in rows[shown:]]

    def refuse(self) -> None:
        """Raise UserError for wrong values: in how many examples they are, and the first places."""
        faults = Faults(self._where)
        for what, places in self._places.items():
            faults.add(
                f"{self._shown[what]} in {len(places)} of {self._count} examples",
                places,
                "Places count from 0, the example first. Fill these in, or leave the examples out."
                + self._hints.get(what, ""),
            )
        faults.refuse()


def _as_floats(numbers: Tensor) -> Tensor:
    """Return numbers in float32, or in float64 where that may not hold them."""
    return numbers.float() if numbers.dtype in _FEW_DIGITS else numbers.double()


def least_and_greatest(rows: Tensor) -> Tensor:
    """Return the least and the greatest value of each column (2, columns); NaN where all are."""
    if not rows.isnan().any():
        return torch.stack([rows.amin(0), rows.amax(0)])
    absent = rows.isnan()
    least = rows.masked_fill(absent, math.inf).amin(0)
    greatest = rows.masked_fill(absent, -math.inf).amax(0)
    return torch.stack([least, greatest]).masked_fill(absent.all(0), math.nan)


def refuse_constant(train: Tensor, where: str) -> None:
    """Raise UserError for training examples that are all the same, and for columns of gaps."""
    low, high = train.aminmax()
    if low.isnan():
        ends = least_and_greatest(train)
        if empty := ends[0].isnan().nonzero()[:, 0].tolist():
            raise UserError(
                f"{where}: all values are missing in columns: {first_few(empty)}",
                hint="Leave these out: x = x[:, ~numpy.isnan(x).all(axis=0)].",
            )
        low, high = ends[0].min(), ends[1].max()
    if low == high:
        raise UserError(f"{where}: every value is {low:g}: there is nothing to learn from")


def refuse_dark(train: Tensor, where: str) -> None:
    """Raise UserError for training images that are all almost black, as where truth values are
    bytes, or what was divided by 255 is divided again."""
    white, most = 255 if train.dtype == torch.uint8 else 1, train.max().item()
    if most < white * DARK:
        raise UserError(
            f"{where}: the brightest pixel of all images is {most:g}, but white is {white}",
            hint=f"Scale them so that white is {white}; truth values: x.astype(bool).",
        )


def check_targets(given: Tensor, count: int, where: str) -> Tensor:
    """Return regression targets of each of `count` examples: (count, targets) float."""
    if given.ndim not in (1, 2) or len(given) != count:
        raise UserError(
            f"{where}: target is {tuple(given.shape)}, but has to be ({count}, targets)"
        )
    return check_numbers(given.reshape(count, -1), f"{where}: target")


def refuse_unknown_names(given: Iterable[object], known: Sequence[str], where: str) -> None:
    """Raise UserError for a name that would be passed over, such as `val` for `validation`."""
    for name in map(str, given):
        if name not in known:
            near = nearest(name, known, 1, 0.4)
            guess = f"Did you mean {near[0]}?" if near else ""
            raise UserError(f"{where}: '{name}' is none of {', '.join(known)}", hint=guess)


def _pixels(image: Tensor, where: str, otherwise: str) -> Tensor:
    if image.dtype == torch.uint8:
        return image
    if image.dtype == torch.bool:
        return image.float()
    if not image.is_floating_point():
        raise UserError(f"{where}: image is {image.dtype}, but has to be uint8 or floats")
    check_numbers(image, f"{where}: image")
    refuse_scale(image.min().item(), image.max().item(), f"{where}: image", otherwise)
    return image.float()
