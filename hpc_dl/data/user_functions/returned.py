"""What functions return that are no tensors by name: how to convert it. Light."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from hpc_dl.errors import first_few

_GRAPHS = "Return a torch_geometric.data.Data or a list of them: "
_TENSORS = 'Return {"train": {"table": x, "label": y}}, with tensors or arrays'
_READ = "Read the file, and return what is in it."
_FROM_MATRIX = "edge_index, _ = torch_geometric.utils.from_scipy_sparse_matrix(matrix)."
_WAYS = {
    "torch_geometric.Batch": f"{_GRAPHS}batch.to_data_list().",
    "torch_geometric.DataLoader": f"{_GRAPHS}list(loader.dataset).",
    "torch_geometric.HeteroData": f"{_GRAPHS}data.to_homogeneous(). Types are not read.",
    "torch_geometric.TemporalData": f"{_GRAPHS}of torch.stack([t.src, t.dst]) as edge_index. "
    "Events in time are not read.",
    "networkx.Graph": f"{_GRAPHS}torch_geometric.utils.from_networkx(graph).",
    "dgl.DGLGraph": f"{_GRAPHS}torch_geometric.utils.from_dgl(graph).",
    "scipy.spmatrix": f"{_GRAPHS}{_FROM_MATRIX}",
    "scipy.sparray": f"{_GRAPHS}{_FROM_MATRIX}",
    "pandas.DataFrame": f"{_TENSORS}: x = frame[columns].to_numpy(). Or save it by to_parquet, and "
    "read it by data.name=parquet.",
    "torch.DataLoader": f"{_TENSORS} of all examples, as from loader.dataset.",
    "torch.Dataset": f"{_TENSORS}: x = numpy.stack([x for x, _ in dataset]).",
    "datasets.Dataset": f'{_TENSORS}: dataset.with_format("numpy")[:].',
    "builtins.generator": "A generator is not read: return what it yields, as a list or tensors.",
    "builtins.coroutine": "Define the function without async.",
    "builtins.function": "Call it: return f(), in place of f.",
    "builtins.NoneType": "Does it lack a `return`?",
    "builtins.str": _READ,
    "pathlib.PurePath": _READ,
}
"""Package and class → what to return in its place."""


def kind_of(value: Any) -> str:
    """Return what a value is, for a message: `a DataFrame`, `a dict of x, y`."""
    if value is None:
        return "nothing"
    name = type(value).__name__
    shown = f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
    if isinstance(value, Mapping):
        return f"{shown} of {first_few(value)}" if value else f"an empty {name}"
    if isinstance(value, list | tuple):
        return f"{shown} of {len(value)}" if value else f"an empty {name}"
    return shown


def way_from(value: Any) -> str:
    """Return how to convert what a function returned, or the first of it."""
    for kind in type(value).__mro__:
        if found := _WAYS.get(f"{kind.__module__.partition('.')[0]}.{kind.__name__}"):
            return found
    if isinstance(value, Mapping):
        return _way_from_mapping(value)
    if isinstance(value, Iterator | Set):
        return f"{kind_of(value).capitalize()} is not read: return a list."
    if isinstance(value, Sequence) and len(value):
        return _way_from_sequence(value)
    return f"{_TENSORS}."


def _way_from_sequence(value: Sequence[Any]) -> str:
    if _are_graphs(value[0]):
        return 'Name the splits: return {"train": graphs, "test": others}.'
    if isinstance(value, tuple) and 1 < len(value) < 5:  # (x, y), or (x, edge_index, y)
        return f"{_TENSORS}: x and y by name. Of a graph, Data(x=..., edge_index=..., y=...)."
    return way_from(value[0])


def _are_graphs(value: Any) -> bool:
    """Return whether a value is a list, or a data set, of graphs."""
    first = value[0] if isinstance(value, list) and value else value
    kinds = ("torch_geometric.Data", "torch_geometric.Dataset")
    named = (f"{it.__module__.partition('.')[0]}.{it.__name__}" for it in type(first).__mro__)
    return any(it in kinds for it in named)


def _way_from_mapping(value: Mapping[Any, Any]) -> str:
    if "edge_index" in value:
        return "Of a graph: torch_geometric.data.Data.from_dict(it)."
    if value and _are_graphs([*value.values()]):
        return f"{_GRAPHS}list(graphs.values())."
    if {"image", "sequence", "table"} & set(map(str, value)):
        return 'Put it one level down: {"train": {...}}.'
    return f"{_TENSORS}."
