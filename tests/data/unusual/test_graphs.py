"""One graph as users have it: a function that returns torch_geometric's."""

import pytest

from hpc_dl.data import describe
from tests.support import reading
from tests.support.unusual_data import check
from tests.support.user_graphs import refused, trains

CASES = [
    # ---- features
    trains("features as float64", "nodes(x=X.double())"),
    trains("features as whole numbers", "nodes(x=(X * 9).int())"),
    trains("features as truth values", "nodes(x=X > 0.5)"),
    trains("a sparse matrix of features", "nodes(x=(X > 0.5).float().to_sparse())"),
    trains(
        "features as a scipy matrix", "nodes(x=scipy.sparse.csr_matrix(X.numpy()), num_nodes=N)"
    ),
    refused(
        "a sparse matrix that is huge as a dense one",
        "nodes(x=torch.sparse_coo_tensor(torch.zeros(2, 1).long(), torch.ones(1), (N, 10**9)))",
        "x is sparse, and would take 149 GiB as a dense matrix",
    ),
    trains("one number for each node, (N,)", "nodes(x=X[:, 0])"),
    trains(
        "no features, num_nodes alone",
        "nodes(x=None, num_nodes=N)",
        "the graph has no x: each node has a 1 as its feature",
    ),
    trains("features without a column", "nodes(x=X[:, :0])", "the graph has no x"),
    refused(
        "features of several axes",
        "nodes(x=torch.rand(N, 2, 3))",
        "x is (40, 2, 3), but has to be (40 nodes, features)…torch.as_tensor(x).flatten(1)",
    ),
    refused(
        "features that are nan",
        "nodes(x=torch.where(X < 0.1, torch.nan, X))",
        "x: nan in … of 40 examples: [",
    ),
    refused(
        "features of other nodes",
        "nodes(x=X[:30], num_nodes=N)",
        "x is (30, 3), but has to be (40 nodes, features)",
    ),
    trains("features that require a gradient", "nodes(x=X.clone().requires_grad_())"),
    refused("complex features", "nodes(x=X.to(torch.complex64))", "x is torch.complex64, but has"),
    # ---- edges
    refused(
        "edges as rows, (E, 2)",
        "nodes(edge_index=EDGE.t())",
        "edge_index is (80, 2), but has to be (2, edges)…torch.as_tensor(edge_index).t()",
    ),
    refused(
        "edges as floats",
        "nodes(edge_index=EDGE.float())",
        "edge_index is torch.float32, but has to be integers…torch.as_tensor(edge_index).long()",
    ),
    refused(
        "nodes counted from 1",
        "nodes(edge_index=EDGE + 1)",
        "4 of 80 edges are not between nodes 0 to 39, like one of node 40…edge_index - 1",
    ),
    refused(
        "an edge to a node that is not there",
        "nodes(edge_index=torch.cat([EDGE, torch.tensor([[0], [99]])], 1))",
        "1 of 81 edges are not between nodes 0 to 39, like one of node 99",
    ),
    refused(
        "edges between names of nodes",
        "nodes(edge_index=[['anna', 'ben'], ['ben', 'anna']])",
        "edge_index has names of nodes…numpy.unique(edge_index, return_inverse=True)",
    ),
    refused(
        "a matrix as edges",
        "nodes(edge_index=torch.eye(N))",
        "edge_index is (40, 40), but has to be (2, edges)…dense_to_sparse(adj)",
    ),
    refused(
        "an adj_t that is not sparse",
        "Data(x=X, y=Y, adj_t=torch.eye(N))",
        "adj_t is a Tensor, but has to be a sparse tensor…Give edge_index in its place",
    ),
    refused(
        "an adj_t of scipy",
        "Data(x=X, y=Y, adj_t=scipy.sparse.eye(N).tocsr())",
        "has to be a sparse tensor…from_scipy_sparse_matrix(adj)",
    ),
    refused(
        "an adj_t of more nodes",
        "Data(x=X, y=Y, adj_t=torch.sparse_coo_tensor(EDGE, torch.ones(80), (50, 50)))",
        "adj_t is (50, 50), but there are 40 nodes",
    ),
    refused(
        "edges to predict, as by RandomLinkSplit",
        "[nodes(edge_label=Y)] * 3",
        "graph 0, 1, 2 has edge_label: edges are not predicted…RandomNodeSplit",
    ),
    trains("edges as int32", "nodes(edge_index=EDGE.int())"),
    trains("edges as a numpy array", "nodes(edge_index=EDGE.numpy())"),
    trains("no edges", "nodes(edge_index=EDGE[:, :0])", "the graph has nodes without an edge"),
    refused(
        "no edges, as an empty list",
        "nodes(edge_index=torch.tensor([]))",
        "edge_index is (0,), but has to be (2, edges)…torch.empty(2, 0, dtype=torch.long)",
    ),
    refused("no edge_index", "Data(x=X, y=Y)", "has no edge_index…dense_to_sparse"),
    trains(
        "a sparse adj_t in place of edge_index",
        "Data(x=X, y=Y, adj_t=torch.sparse_coo_tensor(EDGE.flip(0), torch.ones(80), (N, N)))",
    ),
    trains(
        "edges that are there twice",
        "nodes(edge_index=torch.cat([EDGE, EDGE], 1))",
        "edges that are there more than once",
    ),
    trains(
        "self loops",
        "nodes(edge_index=torch.cat([EDGE, torch.tensor([[3], [3]])], 1))",
        "edges from a node to itself",
    ),
    trains("a directed graph", "nodes(edge_index=ring)", "edges that go one way alone"),
    trains(
        "weights of edges, and positions",
        "nodes(edge_weight=torch.rand(80), pos=X)",
        "the graph has edge_weight, which is not read",
    ),
    # ---- classes of nodes
    trains("classes as uint8", "nodes(y=Y.byte())"),
    trains("classes as (N, 1)", "nodes(y=Y[:, None])"),
    trains("classes as truth values", "nodes(y=Y == 1)", "labels are True and False, as 1 and 0"),
    trains("whole numbers as floats", "nodes(y=Y.float())", "labels are whole numbers as float32"),
    trains("one-hot classes", "nodes(y=torch.eye(2)[Y])", "labels are rows with a single 1"),
    trains("words as classes", "nodes(y=[['cat', 'dog'][it] for it in Y])", "labels are words"),
    trains("gaps in the numbers of classes", "nodes(y=Y * 7)", "the classes are '0', '7'"),
    trains(
        "nodes without a label, as -1",
        "nodes(y=Y.masked_fill(mask(5), -1))",
        "5 of 40 nodes have no label (y is negative), and are in no split",
    ),
    refused(
        "-1 as a uint32",
        "nodes(y=torch.tensor([0, 1, 2, 4294967295] * 10))",
        "label 4294967295 for 10 of 40 nodes…y[y == 4294967295] = -1",
    ),
    refused(
        "-1 as a uint32, beside a single class",
        "nodes(y=torch.tensor([0, 4294967295] * 20))",
        "label 4294967295 for 20 of 40 nodes: 1, 3, 5 and 17 more",
    ),
    refused(
        "rows without a 1 for nodes without a label",
        "nodes(y=torch.eye(2)[Y] * ~mask(5)[:, None])",
        "y: no 1 in the row for 5 of 40 nodes…torch.where(y.any(1), y.argmax(1), -1)",
    ),
    refused(
        "words, and None for nodes without a label",
        "nodes(y=['cat', 'dog', None, ''] * 10)",
        "y: no word for 20 of 40 nodes…pandas.factorize",
    ),
    refused("the classes as `label`", "Data(x=X, edge_index=EDGE, label=Y)", "Is it label?"),
    refused(
        "no node with a label", "nodes(y=torch.full((N,), -1))", "no node has a label: all are -1"
    ),
    refused(
        "classes that are nan",
        "nodes(y=torch.where(mask(5), torch.nan, Y.float()))",
        "y: nan for 5 of 40 nodes: 0, 1, 2 and 2 more…torch.nan_to_num",
    ),
    refused("no y", "nodes(y=None)", "has no y…y is the class of each node"),
    refused(
        "numbers to predict for nodes", "nodes(y=X[:, 0])", "Of nodes, classes alone are predicted"
    ),
    refused(
        "several classes for a node",
        "nodes(y=torch.ones(N, 3))",
        "y is (40, 3), and a row has to have a single 1",
    ),
    refused(
        "one class for the whole graph",
        "nodes(y=torch.tensor([1]))",
        "a class for each of 40 nodes",
    ),
    # ---- masks
    trains("train_mask alone", "nodes(train_mask=mask(30))", "no test_mask: nodes of train_mask"),
    refused("no train_mask", "nodes(test_mask=mask(9))", "has test_mask, but no train_mask"),
    refused(
        "masks that overlap",
        "nodes(train_mask=mask(30), test_mask=mask(20, 40))",
        "10 nodes of test_mask are in another mask as well",
    ),
    trains("a mask as a list", "nodes(train_mask=[True] * 30 + [False] * 10)", "no val_mask"),
    refused(
        "a mask of 0 and 1", "nodes(train_mask=mask(30).long())", "…torch.as_tensor(mask).bool()"
    ),
    refused(
        "numbers of nodes as a mask",
        "nodes(train_mask=torch.arange(30))",
        "train_mask is (30,) torch.int64…index_to_mask",
    ),
    trains(
        "a mask for each of several divisions",
        "nodes(train_mask=mask(30)[:, None].expand(N, 10))",
        "of 10 divisions by masks the first is read",
    ),
    refused(
        "a mask without a node",
        "nodes(train_mask=mask(30), val_mask=mask(0))",
        "val_mask has no node with a label…Leave it out",
    ),
    refused(
        "a class that is in no training node",
        "nodes(y=Y + (torch.arange(N) > 37), train_mask=mask(30))",
        "there is no example of '2' to train on",
    ),
    refused(
        "masks by other names",
        "nodes(train_mask=mask(30), valid_mask=mask(30, 40))",
        "has valid_mask, by which examples are not divided…train_mask, val_mask and test_mask",
    ),
    refused(
        "numbers of the nodes of a split",
        "nodes(train_idx=torch.arange(30), val_idx=torch.arange(30, 40))",
        "has train_idx, val_idx, by which examples are not divided…index_to_mask",
    ),
    refused(
        "a graph, and the numbers of the nodes of its splits",
        "nodes(), {'train': torch.arange(30), 'valid': torch.arange(30, 40)}",
        "a tuple of 2: a graph, and a dict of train, valid\nReturn the graph alone",
    ),
    refused(
        "masks of several numbers of divisions",
        "nodes(train_mask=mask(30).expand(3, N).t(), val_mask=mask(30, 40).expand(2, N).t())",
        "the masks are of several numbers of divisions: {'train_mask': 3, 'val_mask': 2}",
    ),
    refused(
        "masks as rows",
        "nodes(train_mask=mask(30).expand(10, N))",
        "train_mask is (10, 40)…Turn it: torch.as_tensor(mask).t()",
    ),
]


@pytest.fixture(autouse=True)
def _described_here(monkeypatch):
    monkeypatch.setattr(describe, "in_subprocess", reading.describe_here)


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)
