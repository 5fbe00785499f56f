"""The loops by hand of somebody who knows torch well: tensors in memory, fused optimizers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from benchmarks import networks
from benchmarks.pace import Follow, Pace
from benchmarks.problem import Order, Problem


def train(problem: Problem, pace: Pace) -> None:
    """Train whatever the problem is."""
    # As in hpcdl's worker: after 800 steps of `ffnn` a twentieth of AdamW's moments is denormal: a
    # step took 6.1 ms of the processor's time, and 3.8 with this.
    torch.set_flush_denormal(True)
    LOOPS.get(problem.workload, classify)(problem, pace)


def batches(problem: Problem, *names: str) -> Iterator[list[Tensor]]:
    """Yield batches of the named tensors, bytes as floats in [0, 1]."""
    held = [problem.examples[name] for name in names]
    for order in problem.orders():
        for chosen in order.split(problem.batch):
            rows = [it.index_select(0, chosen) for it in held]
            yield [it.float().div_(255) if it.dtype == torch.uint8 else it for it in rows]


def classify(problem: Problem, pace: Pace) -> None:
    """Train a classifier of images."""
    network = problem.begin(networks.CLASSIFIERS[problem.workload]())
    optimizer, clip = problem.adam(network), problem.options["clip_norm"]
    for image, label in batches(problem, "image", "label"):
        loss = F.cross_entropy(network(image), label)
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimizer.step()
        optimizer.zero_grad()
        pace.step(loss)


def write(problem: Problem, pace: Pace) -> None:
    """Train a language model of characters."""
    network = problem.begin(networks.OfCharacters(problem.outputs))
    optimizer, clip = problem.adam(network), problem.options["clip_norm"]
    for text, following in batches(problem, "text", "next"):
        loss = F.cross_entropy(network(text).flatten(0, 1), following.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimizer.step()
        optimizer.zero_grad()
        pace.step(loss)


def encode(problem: Problem, pace: Pace) -> None:
    """Train a variational autoencoder, and average its weights."""
    network = networks.Variational()
    problem.begin(network)
    optimizer, average = problem.adam(network), _Average(network, problem)
    for (image,) in batches(problem, "image"):
        loss = network.loss(image)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        average.update()
        pace.step(loss)


def contend(problem: Problem, pace: Pace) -> None:
    """Train a generator and a critic in turns, and average the weights of both."""
    critic = problem.begin(networks.critic(), "critic")
    generator = problem.begin(networks.generator(), "generator")
    of_critic, of_generator = problem.adam(critic), problem.adam(generator)
    averages = [_Average(critic, problem), _Average(generator, problem)]
    for (image,) in batches(problem, "image"):
        with torch.no_grad():
            generated = generator(torch.randn(len(image), 64))
        real_score, score = critic(2 * image - 1), critic(2 * generated - 1)
        loss = (F.softplus(-real_score) + F.softplus(score)).mean()
        loss.backward()
        of_critic.step()
        of_critic.zero_grad()
        critic.requires_grad_(False)
        score = critic(2 * generator(torch.randn(len(image), 64)) - 1)
        own = F.softplus(-score).mean()
        own.backward()
        critic.requires_grad_(True)
        of_generator.step()
        of_generator.zero_grad()
        for average in averages:
            average.update()
        pace.step(loss + own)


def convolve(problem: Problem, pace: Pace) -> None:
    """Train a classifier of the nodes of a graph, all labelled ones in each step."""
    given = problem.examples
    node, edge = F.normalize(given["node"], p=1), given["edge"]
    network = networks.OfNodes(node.shape[1], problem.outputs)
    problem.begin(network)
    optimizer = problem.adam(network)
    while True:
        loss = F.cross_entropy(network(node, edge)[given["at"]], given["label"])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        pace.step(loss)


def distribute(problem: Problem, pace: Pace) -> None:
    """Train a classifier on two ranks by DDP; this process forks the second."""
    with tempfile.TemporaryDirectory() as folder:
        rank = 0 if os.fork() else 1
        meeting = f"file://{folder}/ranks"
        torch.distributed.init_process_group("gloo", meeting, rank=rank, world_size=2)
        network = DistributedDataParallel(problem.begin(networks.large()))
        optimizer, pace = problem.adam(network), Follow() if rank else pace
        images, labels = problem.examples["image"], problem.examples["label"]
        for order in problem.orders():
            for batch in order.split(problem.batch):
                chosen = batch.chunk(2)[rank]
                image = images.index_select(0, chosen).float().div_(255)
                loss = F.cross_entropy(network(image), labels.index_select(0, chosen))
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                pace.step(loss)


class Files(Dataset[tuple[Tensor, Tensor]]):
    """Pictures in files, as bytes (3, H, W), with their labels."""

    def __init__(self, problem: Problem) -> None:
        self.files, self.labels = problem.files, problem.examples["label"]

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        with Image.open(self.files[number]) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        return torch.from_numpy(pixels.transpose(2, 0, 1).copy()), self.labels[number]


def stream(problem: Problem, pace: Pace) -> None:
    """Train a classifier of pictures in files, read by a well-tuned DataLoader."""
    network = problem.begin(networks.of_pictures())
    optimizer = problem.adam(network)
    loader = DataLoader(
        Files(problem),
        problem.batch,
        sampler=Order(problem),
        num_workers=2,
        persistent_workers=True,
        prefetch_factor=4,
    )
    while True:
        # What hpcdl takes to make floats counts as waiting for data.
        floats = ((pixels.float().div_(255), label) for pixels, label in loader)
        for image, label in pace.waiting_for(floats):
            loss = F.cross_entropy(network(image), label)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            pace.step(loss)


class _Average:
    """Exponential moving average of a network's weights, as hpcdl has it."""

    def __init__(self, network: nn.Module, problem: Problem) -> None:
        self.weights: list[Tensor] = list(network.parameters())
        self.averages = [it.detach().clone() for it in self.weights]
        self.decay, self.steps = problem.options["ema_decay"], 0

    @torch.no_grad()
    def update(self) -> None:
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.averages, self.weights, 1 - decay)
        self.steps += 1


LOOPS: dict[str, Callable[[Problem, Pace], None]] = {
    "text": write,
    "vae": encode,
    "gan": contend,
    "gnn": convolve,
    "ranks": distribute,
    "pictures": stream,
}
"""Of the workloads that are no classification of images."""
