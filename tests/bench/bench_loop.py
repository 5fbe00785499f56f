"""What a training step costs, beside the bare mathematics and other loops, in one run.

`python tests/bench/bench_loop.py` trains the workshop's network on random images with each loop in
turn, several rounds over, and prints the median time of a step and its ratio to the bare one.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader, TensorDataset

from hpc_dl.data.dataset import Split, Splits
from hpc_dl.data.sampler import Batches
from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.plan import Machine, make
from hpc_dl.planning.site import Site
from hpc_dl.run.journal import Journal
from hpc_dl.train.build import build_engine
from hpc_dl.train.early_stopping import EarlyStopping
from hpc_dl.train.loop import Reported, train
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import MonitoredMetric

BATCH, STEPS, ROUNDS, THREADS = 128, 200, 5, 1
CPU = torch.device("cpu")
FACTS = DataFacts.of("image", "classify", (1, 28, 28), tuple("0123456789"), BATCH * STEPS, 0, 0)
IMAGES = torch.randint(0, 256, (BATCH * STEPS, 1, 28, 28), dtype=torch.uint8)
LABELS = torch.randint(0, 10, (BATCH * STEPS,))


def network() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    widths = (784, 512, 512, 10)
    layers = [torch.nn.Flatten()]
    for fan_in, fan_out in pairwise(widths):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    return model, torch.optim.AdamW(model.parameters(), fused=True)


def bare() -> None:
    """Slices of a shuffled tensor, forward, backward, step: the least that can be done."""
    model, optimizer = network()
    for chosen in torch.randperm(len(IMAGES)).split(BATCH):
        images = IMAGES.index_select(0, chosen).float().div_(255)
        loss = torch.nn.functional.cross_entropy(model(images), LABELS.index_select(0, chosen))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def with_loader(prepare: Callable[..., tuple]) -> None:
    """The usual loop over a DataLoader."""
    model, optimizer = network()
    loader = DataLoader(TensorDataset(IMAGES.float() / 255, LABELS), BATCH, shuffle=True)
    model, optimizer, loader, backward = prepare(model, optimizer, loader)
    for images, labels in loader:
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        backward(loss)
        optimizer.step()
        optimizer.zero_grad()


def plainly(model, optimizer, loader) -> tuple:
    return model, optimizer, loader, torch.Tensor.backward


def by_accelerate(model, optimizer, loader) -> tuple:
    accelerator = Accelerator(cpu=True)
    return *accelerator.prepare(model, optimizer, loader), accelerator.backward


def hpcdl() -> None:
    """The whole loop: seeded order and noise, events, reports every 50 steps into a journal."""
    spec = JobSpec.model_validate(
        {
            "name": "bench",
            "model": {"name": "ffnn"},
            "data": {"name": "mnist", "batch_size": BATCH},
            "train": {"epochs": 1},
            "resources": {"cpus_per_task": THREADS},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        plan = make(
            spec,
            Site(name="bench"),
            FACTS,
            backend="local",
            run_dir=root / "bench-1",
            run_root=root,
            data_root=root,
            machine=Machine(THREADS, 0),
        )
        split = Split({"image": IMAGES, "label": LABELS})
        world = World(0, 1, CPU)
        splits = Splits(FACTS, split, split, split)
        engine = build_engine(spec, plan, splits, world, root, lambda _: 1e-3)
        batches = Batches(split, BATCH, plan.micro_batch, 0, 0, 1)
        journal = Journal(root / "journal.jsonl")
        stopping = EarlyStopping(MonitoredMetric("loss", "min"), None)
        for event in train(engine, batches, dict, stopping, plan, lambda _: False, 50):
            if isinstance(event, Reported):
                journal.append("metrics", step=event.step, epoch=event.epoch, values=event.values)


LOOPS: dict[str, Callable[[], None]] = {
    "bare tensors": bare,
    "hpcdl": hpcdl,
    "DataLoader": lambda: with_loader(plainly),
    "accelerate over a DataLoader": lambda: with_loader(by_accelerate),
}


def main() -> None:
    torch.set_num_threads(THREADS)
    seconds: dict[str, list[float]] = {name: [] for name in LOOPS}
    for loop in LOOPS.values():  # imports and first-time costs are not what is measured
        loop()
    for _ in range(ROUNDS):
        for name, loop in LOOPS.items():
            started = time.perf_counter()
            loop()
            seconds[name].append((time.perf_counter() - started) / STEPS)
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    write = sys.stdout.write
    write(f"784-512-512-10, batch {BATCH}, {THREADS} thread, {ROUNDS} rounds of {STEPS} steps\n")
    for name, median in medians.items():
        write(f"{name:30} {median * 1e6:7.0f} µs a step  {median / medians['bare tensors']:5.2f}\n")


if __name__ == "__main__":
    main()
