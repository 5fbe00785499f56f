"""How examples are divided into splits, for people. Light."""

from __future__ import annotations

from hpc_dl.jobspec.data import Data
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.units import count


def describe(data: Data, facts: DataFacts) -> str:
    """Say which splits are drawn, how, and by which groups."""
    groups, drawn = facts.groups, facts.drawn
    if drawn == ():
        return "validation and test are those of the data"
    names = data.drawn if drawn is None else drawn
    parts = [f"{' and '.join(names)} drawn with split_seed {data.split_seed}"]
    if drawn is None:
        parts = [f"{parts[0]}, where the data have none of their own"]
    elif facts.classes:
        parts.append("each class in proportion" if data.stratify else "not stratified")
    else:
        parts.append("not stratified, as there are no classes")
    if data.folds:
        parts.append(f"the test is fold {data.fold} of {data.folds}, counted from 0")
    if groups:
        by = getattr(data, "groups", None) or "group"
        parts.append(f"{count(groups, 'group')} by '{by}', each in one split")
    return "; ".join(parts)
