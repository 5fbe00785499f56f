"""Many graphs as users have them, and what is no graph."""

import pytest

from hpc_dl.data import describe
from tests.support import reading
from tests.support.unusual_data import check
from tests.support.user_graphs import refused, trains

CASES = [
    trains("a list of graphs with a class each", "graphs()"),
    trains("a data set of graphs", "Several()"),
    trains(
        "parts of a data set, by torch's random_split",
        "dict(zip(['train', 'test'], torch.utils.data.random_split(Several(), [32, 8])))",
    ),
    trains("graphs of several sizes", "[graph(n, 3 + n % 5) for n in range(N)]"),
    trains(
        "one-hot classes of graphs", "graphs(y=lambda n: torch.eye(2).long()[[n % 2]])", "single 1"
    ),
    trains(
        "words as classes of graphs", "graphs(y=lambda n: ['active', 'inactive'][n % 2])", "words"
    ),
    trains("numbers to predict", "graphs(y=lambda n: torch.tensor([[n / 7, 1 / (n + 1)]]))"),
    trains(
        "classes as floats",
        "graphs(y=lambda n: float(n % 2))",
        "y is of whole numbers as floats: regression targets; classes are integers",
    ),
    refused(
        "graphs without y",
        "graphs(y=lambda n: n % 2 if n > 4 else None)",
        "5 of 40 graphs have no y, graph: 0, 1, 2 and 2 more",
    ),
    refused("y without a value", "graphs(y=lambda n: torch.zeros(0))", "40 of 40 graphs have no y"),
    refused(
        "y of several sizes",
        "graphs(y=lambda n: torch.zeros(1 + (n > 35)))",
        "y has 1 numbers in graph 0, and others in 4 graphs, like graph: 36",
    ),
    refused(
        "y that is nan",
        "graphs(y=lambda n: torch.tensor([torch.nan if n == 3 else 0.5]))",
        "y is not finite in 1 of 40 graphs, graph: 3",
    ),
    refused(
        "a class for each node of several graphs",
        "[graph(n, 3 + n % 5, y=torch.zeros(3 + n % 5).long()) for n in range(N)]",
        "y has a label for each node, of 40 graphs…Batch.from_data_list",
    ),
    refused(
        "a class for each node of graphs of one size",
        "graphs(y=lambda n: torch.tensor([0, 1, 0, 1]))",
        "y has a label for each node, of 40 graphs…If it is of the whole graph: y[None]",
    ),
    refused(
        "negative classes of graphs",
        "graphs(y=lambda n: n % 3 - 1)",
        "y is negative in 14 of 40 graphs, graph: 0, 3, 6 and 11 more\nIf that is no class",
    ),
    refused(
        "a target that is the same for all",
        "graphs(y=lambda n: torch.tensor([[1.5]]))",
        "'y0' is 1.5 in all training examples: there is nothing to predict",
    ),
    refused(
        "features of some graphs",
        "graphs(x=lambda n: torch.ones(4, 1) if n % 2 else None, num_nodes=lambda n: 4)",
        "20 of 40 graphs have no x, graph: 0, 2, 4 and 17 more",
    ),
    refused(
        "a split as an attribute of each graph",
        "graphs(split=lambda n: 'train' if n < 30 else 'test')",
        'graph 0 has split, by which examples are not divided…{"train": [...], "test": [...]}',
    ),
    trains("a user's own Dataset of graphs", "Own()"),
    refused(
        "several numbers of features",
        "graphs(x=lambda n: torch.rand(4, 3 + (n == 7)))",
        "nodes differ in their number of features: 2 faults…3 in 39: graph 0 of train…4 in 1: ",
    ),
    refused(
        "a graph without a node",
        "graphs(x=lambda n: torch.rand(4 * (n != 5), 3))",
        "graph 5 has no node",
    ),
    refused(
        "faults of several graphs",
        "graphs(edge_index=lambda n: torch.tensor([[0], [9]]) if n in (3, 4) else EDGE[:, :0])",
        "train: graph 3, 4: edge_index: 1 of 1 edges are not between nodes",
    ),
    # ---- other things than a Data
    refused("no graph in the list", "[]", "returned an empty list"),
    refused("graphs of nodes of several types", "HeteroData()", "HeteroData…to_homogeneous()"),
    refused("a Batch", "Batch.from_data_list(graphs())", "batch.to_data_list()"),
    refused("a loader", "DataLoader(graphs())", "list(loader.dataset)"),
    refused(
        "events in time",
        "TemporalData(src=Y, dst=Y, t=Y, msg=X)",
        "returned a TemporalData…Events in time are not read",
    ),
    refused("networkx's graphs", "[networkx.path_graph(4)] * 9", "from_networkx"),
    refused("a sparse matrix", "scipy.sparse.eye(9)", "from_scipy_sparse_matrix"),
    refused("a tuple of arrays", "(X, EDGE, Y)", "Data(x=..., edge_index=..., y=...)"),
    refused("a dict of one graph", "{'x': X, 'edge_index': EDGE, 'y': Y}", "Data.from_dict"),
    refused("an iterator", "map(graph, range(9))", "A map is not read: return a list"),
    refused("a generator", "(graph(n) for n in range(9))", "A generator is not read"),
    refused(
        "other names of splits",
        "{'train': graphs(), 'val': graphs()}",
        "'val' is none of…validation",
    ),
    refused(
        "one graph for each split",
        "{'train': nodes(), 'test': nodes()}",
        "train_mask, val_mask and",
    ),
    refused(
        "lists of graphs without names",
        "graphs(), graphs()",
        'a tuple of 2\nName the splits: return {"train": graphs, "test": others}',
    ),
    refused("graphs by number", "{n: graph(n) for n in range(9)}", "list(graphs.values())"),
    refused("a list with gaps", "[*graphs(), None]", "nothing is graph: 40"),
    refused(
        "a data set that has to be downloaded",
        "TUDataset('/nowhere/data', 'MUTAG')",
        "mine.py:",
        "from torch_geometric.datasets import TUDataset",
        "TUDataset.download = lambda self: open('/nowhere/MUTAG.zip')",
    ),
]


@pytest.fixture(autouse=True)
def _described_here(monkeypatch):
    monkeypatch.setattr(describe, "in_subprocess", reading.describe_here)


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)
