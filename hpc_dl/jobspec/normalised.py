"""Options of norm and shortcuts, which several architectures have."""

from __future__ import annotations

from pydantic import Field

from hpc_dl.jobspec.model import Model, Norm


class Normalised(Model):
    """Options of what is done beside and after each hidden layer."""

    norm: Norm = Field(
        "none",
        description="after each hidden layer: none, of a batch, or of groups of each example's "
        "units or channels, which is the same however a batch is divided over ranks",
    )
    residual: bool = Field(
        False,
        description="add to each hidden layer its input, by a linear map where sizes differ",
    )

    @property
    def batch_norm(self) -> bool:
        return self.norm == "batch"

    @property
    def normed_widths(self) -> list[int]:
        """The sizes of the vectors that a norm is taken of, option `hidden`."""
        return []
