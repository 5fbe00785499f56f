"""Base of every part of a spec: unknown keys are refused, types are strict, values are frozen."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

LIBRARIES = ("torchvision", "torch_geometric")
REFERENCE = r"^[^:]+:[A-Za-z_]\w*$"
"""A user's class or function: `my_code.py:NAME`, or `package.module:NAME`."""


class Misplaced(ValueError):
    """A fault of a value within the part that is validated; `path` leads to it from there."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


class Spec(BaseModel):
    """A part of a spec. Strict: `true` is no number and `"3"` no integer."""

    model_config = ConfigDict(
        extra="forbid",
        defer_build=True,
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        ser_json_inf_nan="constants",  # of options of a user's code, which may be infinite
    )

    paths: ClassVar[tuple[str, ...]] = ()
    """Options that name a file or a folder."""

    @classmethod
    def refused_options(cls) -> set[str]:
        """Return options that may have no value but their default, as they would change nothing."""
        return set()


class OpenSpec(Spec):
    """A part of a spec for code that is not hpcdl's, which takes every other key as an option."""

    model_config = ConfigDict(extra="allow")

    @property
    def options(self) -> dict[str, Any]:
        """The keys that are options of that code."""
        return dict(self.model_extra or {})


def tag_by_name(value: Any) -> str | None:
    """Return which member of a union a `name` picks: that name, the library whose things it names
    (`torchvision:resnet18`), or, for an import path (`my_code.py:MyNet`), `own`."""
    name = value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
    if not isinstance(name, str):
        return None
    before, colon, _ = name.partition(":")
    return "own" if colon and before not in LIBRARIES else before
