"""Suggestions for a `data.name` that no source has."""

import pytest

from hpc_dl.jobspec import suggestions
from hpc_dl.jobspec.sources.torch_geometric import TorchGeometric

NAMES = ["citeseer", "cora", "csv", "text"]


@pytest.mark.parametrize(
    ("file", "seen"),
    [
        ("iris.data", "{name: csv, path: iris.data}"),
        ("sales.CSV.gz", "{name: csv, path: sales.CSV.gz}"),
        ("scan.mat", "{name: hdf5, path: scan.mat}"),
        ("graph.pt", "No source reads .pt files, but a function of yours may"),
        ("https://x.org/a.csv", "Nothing is downloaded for a job"),
    ],
)
def test_a_file_in_place_of_a_name_is_told_how_to_read_it(file, seen):
    assert seen in suggestions.of_file("data", file)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("Cite-Seer", "citeseer"),
        ("Planetoid", "cora"),
        ("enwik8", "text"),
        ("mutag", "torch_geometric:TUDataset:MUTAG"),
    ],
)
def test_a_name_that_others_use_is_found(word, meant):
    members = [f"torch_geometric:{it}" for it in TorchGeometric.members()]
    assert suggestions.closest_name("data", word, NAMES, members) == f"; did you mean '{meant}'?"
