"""A batch is gone from memory as the next one is made."""

import weakref
from types import SimpleNamespace

import torch

from hpc_dl.data.dataset import Split
from hpc_dl.data.sampler import Batches
from hpc_dl.train import loop
from hpc_dl.train.evaluate import evaluate
from hpc_dl.train.phases import Phases
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Loss

CPU = torch.device("cpu")


class Watched(Split):
    """A split that sees to it that the batch before is gone as it makes one."""

    def __init__(self):
        super().__init__({"image": torch.arange(20.0).reshape(10, 2)})
        self.made, self.former = 0, lambda: None

    def batch(self, chosen):
        assert self.former() is None, "two batches are in memory"
        batch = super().batch(chosen)
        self.former, self.made = weakref.ref(batch["image"]), self.made + 1
        return batch


def test_an_evaluation_holds_one_batch_at_a_time():
    def measure(nets, batch):
        return {"loss": Loss(nets["model"](batch["image"]).sum(), len(batch["image"]))}

    split, nets = Watched(), {"model": torch.nn.Flatten()}
    found = evaluate(measure, nets, split, World(0, 1, CPU), batch_size=4, seed=(0,))
    assert found.compute() == {"loss": 19.0}
    assert split.made == 3


def test_a_training_holds_the_batch_of_one_step_at_a_time():
    split = Watched()
    engine = SimpleNamespace(
        step=0,
        carry=None,
        world=SimpleNamespace(phases=Phases(), requests=SimpleNamespace(total=0)),
    )

    def train_step(micro_batches, *_):
        assert len(micro_batches) == 1
        engine.step += 1

    engine.train_step, engine.report = train_step, dict
    plan = SimpleNamespace(
        steps=6, steps_per_epoch=3, pause_at=None, examples_seen=lambda step: 4 * step
    )
    stopping = SimpleNamespace(should_stop=False, update=lambda step, values: False)
    batches = Batches(split, 4, 4, 0, 0, 1)
    for _ in loop.train(engine, batches, dict, stopping, plan, lambda step: False, 2):
        pass
    assert split.made == 6
