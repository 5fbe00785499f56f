"""What a network predicts, as a table with names: of classes, and of numbers in their own units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from hpc_dl.jobspec.data import DataFacts

if TYPE_CHECKING:
    from pandas import DataFrame

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]


def by_name(outputs: Mapping[str, Array], facts: DataFacts) -> DataFrame:
    """A row for each example: its class and the probability of each class, or its targets."""
    import pandas

    columns = {"class": outputs["class"]} if "class" in outputs else {}
    if "probabilities" in outputs:
        shares = outputs["probabilities"].T
        columns |= {
            f"probability of {it}": of for it, of in zip(facts.classes, shares, strict=True)
        }
    if "target" in outputs:
        columns |= dict(zip(facts.target_names, outputs["target"].T, strict=True))
    return pandas.DataFrame(columns)
