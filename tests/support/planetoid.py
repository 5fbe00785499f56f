"""Small graphs in Planetoid's files, with facts of their own."""

import pickle
from collections import defaultdict
from pathlib import Path

import numpy as np
import scipy.sparse

from hpc_dl.data.sources.planetoid import GRAPHS, Graph

VALIDATION, TEST = 500, 20
"""How many nodes are held out; torch_geometric takes 500 for the validation, whatever there is."""


def facts(name: str, classes: int = 3, isolated: int = 0) -> Graph:
    """The facts of what `write` writes."""
    nodes = 2 * classes + VALIDATION + TEST + isolated
    return Graph(
        GRAPHS[name].folder,
        tuple("abcdefg"[:classes]),
        nodes=nodes,
        features=5,
        edges=2 * (nodes - 1 - 2 * isolated),
        validation=VALIDATION,
        test=TEST,
        train_of_class=2,
    )


def write(folder: Path, name: str, classes: int = 3, isolated: int = 0) -> None:
    """Write a chain of nodes; `isolated` ones are left out of the test, as in Citeseer."""
    folder.mkdir(parents=True, exist_ok=True)
    train, rng = 2 * classes, np.random.default_rng(0)
    rest, nodes = train + VALIDATION, train + VALIDATION + TEST + isolated
    label = np.eye(classes, dtype=np.int32)[np.arange(nodes) % classes]
    x = rng.integers(0, 2, (nodes, 5)).astype(np.float32)
    alone = set(range(rest + 1, rest + 1 + 2 * isolated, 2))
    order = [node for node in rng.permutation(range(rest, nodes)).tolist() if node not in alone]
    graph = defaultdict(list)
    for node in range(nodes - 1):
        if node not in alone and node + 1 not in alone:
            graph[node].append(node + 1)
            graph[node + 1].append(node)
    parts = {"x": x[:train], "allx": x[:rest], "tx": x[order]}
    parts = {key: scipy.sparse.csr_matrix(it) for key, it in parts.items()}
    parts |= {"y": label[:train], "ally": label[:rest], "ty": label[order], "graph": graph}
    for key, value in parts.items():
        (folder / f"ind.{name}.{key}").write_bytes(pickle.dumps(value))
    lines = "".join(f"{node}\n" for node in order)
    (folder / f"ind.{name}.test.index").write_text(lines)
