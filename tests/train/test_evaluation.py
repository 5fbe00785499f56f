"""An evaluation takes as much memory as a batch does."""

import weakref

import torch

from hpc_dl.data.dataset import Split
from hpc_dl.train.evaluate import evaluate
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Loss

CPU = torch.device("cpu")


class Watched(Split):
    """A split that sees to it that the batch before is gone as it makes one."""

    made = 0
    former = staticmethod(lambda: None)

    def batch(self, chosen):
        assert self.former() is None, "two batches are in memory"
        batch = super().batch(chosen)
        self.former, self.made = weakref.ref(batch["image"]), self.made + 1
        return batch


def test_an_evaluation_holds_one_batch_at_a_time():
    def measure(nets, batch):
        return {"loss": Loss(nets["model"](batch["image"]).sum(), len(batch["image"]))}

    split = Watched({"image": torch.arange(20.0).reshape(10, 2)})
    found = evaluate(
        measure, {"model": torch.nn.Flatten()}, split, World(0, 1, CPU), batch_size=4, seed=(0,)
    )
    assert found.compute() == {"loss": 19.0}
    assert split.made == 3
