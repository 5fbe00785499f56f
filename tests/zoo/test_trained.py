"""The weights file of an export: safetensors, or torch's own where that has no format for them."""

import pytest
import torch
from torch import nn

from hpc_dl.zoo.trained import TORCH_WEIGHTS, WEIGHTS, read_weights, save_weights


class Tied(nn.Module):
    """Weights and a buffer that share memory, and tensors of other dtypes."""

    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
        self.head.weight = self.embedding.weight
        self.register_buffer("columns", self.embedding.weight.detach().t())
        self.register_buffer("count", torch.tensor(3))
        self.register_buffer("mask", torch.tensor([True, False]))
        self.register_buffer("coarse", torch.rand(4).bfloat16())
        self.register_buffer("empty", torch.empty(0, 2))


class Sparse(nn.Linear):
    def __init__(self):
        super().__init__(2, 2)
        self.register_buffer("adjacency", torch.eye(3).to_sparse())


def names(folder):
    return [path.name for path in folder.iterdir()]


def same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        other = theirs[name]
        assert (tensor.dtype, tensor.shape) == (other.dtype, other.shape), name
        assert torch.equal(tensor.to_dense(), other.to_dense()), name


def test_weights_are_read_as_they_were_written_tied_ones_too(tmp_path):
    relations = nn.ModuleDict({"cites/paper": nn.Linear(2, 2)})
    nets = {"generator": Tied(), "critic": relations, "without": nn.ReLU()}
    save_weights(nets, tmp_path)
    assert names(tmp_path) == [WEIGHTS]
    found = read_weights(tmp_path / WEIGHTS)
    for name in ("generator", "critic"):
        same(nets[name].state_dict(), found[name])
    again = Tied()
    again.load_state_dict(found["generator"])
    assert again.head.weight is again.embedding.weight


def test_a_file_can_be_read_by_others_as_the_umask_allows(tmp_path):
    save_weights({"model": nn.Linear(2, 2)}, tmp_path)
    (tmp_path / "other").touch()
    assert (tmp_path / WEIGHTS).stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize(
    "before, after", [(nn.Linear(2, 2), Sparse()), (Sparse(), nn.Linear(2, 2))]
)
def test_sparse_tensors_are_written_by_torch_and_only_one_file_is_left(tmp_path, before, after):
    save_weights({"model": before}, tmp_path)
    save_weights({"model": after}, tmp_path)
    file = TORCH_WEIGHTS if isinstance(after, Sparse) else WEIGHTS
    assert names(tmp_path) == [file]
    same(after.state_dict(), read_weights(tmp_path / file)["model"])
