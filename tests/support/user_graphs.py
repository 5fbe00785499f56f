"""Functions of users that return graphs, as cases of unusual data."""

import textwrap

from tests.support.unusual_data import Case

BEGIN = """\
import networkx, numpy as np, scipy.sparse, torch
from torch_geometric.data import Batch, Data, HeteroData, InMemoryDataset, TemporalData
from torch_geometric.loader import DataLoader

N = 40
ring = torch.stack([torch.arange(N), torch.arange(N).roll(-1)])
EDGE = torch.cat([ring, ring.flip(0)], dim=1)
Y = torch.arange(N) % 2
X = torch.rand(N, 3, generator=torch.Generator().manual_seed(0))

def nodes(**changed):
    return Data(**{"x": X, "edge_index": EDGE, "y": Y, **changed})

def graph(number, size=4, **changed):
    line = torch.stack([torch.arange(size - 1), torch.arange(1, size)])
    edge = torch.cat([line, line.flip(0)], dim=1)
    return Data(**{"x": torch.rand(size, 3), "edge_index": edge, "y": number % 2, **changed})

def graphs(**changed):
    return [graph(n, **{key: it(n) for key, it in changed.items()}) for n in range(N)]

class Several(InMemoryDataset):
    def __init__(self):
        super().__init__()
        self.data, self.slices = self.collate(graphs(y=lambda n: torch.tensor([n % 2])))

class Own(torch.utils.data.Dataset):
    def __len__(self): return N
    def __getitem__(self, number): return graph(number)

def mask(*numbers):
    return torch.isin(torch.arange(N), torch.tensor(list(range(*numbers))))
"""


def returned(value, *lines):
    """A function that returns a value, after some lines."""

    def make(folder):
        body = textwrap.indent("\n".join([*lines, f"return {value}"]), "    ")
        (folder / "mine.py").write_text(f"{BEGIN}\ndef data():\n{body}\n")
        return {"name": "mine.py:data"}

    return make


def refused(what, value, seen, *lines):
    return Case(what, returned(value, *lines), "submission", seen)


def trains(what, value, seen="", *lines):
    return Case(what, returned(value, *lines), "trains", seen)
