"""The common ground of every part of a spec: unknown keys refused, types strict, values frozen."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A part of a spec. Strict: `true` is no number and `"3"` no integer."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
