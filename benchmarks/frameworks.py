"""The loops over a DataLoader that tutorials and frameworks have, of classifiers of images, and of
a language model of characters.

Each is spared what it need not do here: logging, progress bars, checkpoints.
"""

from __future__ import annotations

import tempfile
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.networks import CLASSIFIERS, OfCharacters
from benchmarks.pace import Pace
from benchmarks.problem import Order, Problem
from hpc_dl.torchvision_compat import torchvision

torchvision()  # before a framework imports it


def loader_of(problem: Problem) -> DataLoader[tuple[Tensor, ...]]:
    """Return a DataLoader of inputs and targets, images as floats."""
    inputs, targets = (problem.examples[it] for it in _names(problem))
    inputs = inputs.float().div_(255) if inputs.dtype == torch.uint8 else inputs
    return DataLoader(TensorDataset(inputs, targets), problem.batch, sampler=Order(problem))


def _names(problem: Problem) -> tuple[str, str]:
    return ("text", "next") if problem.workload == "text" else ("image", "label")


def network_of(problem: Problem) -> nn.Module:
    """Return the network, from inputs to logits."""
    made = CLASSIFIERS.get(problem.workload, lambda: OfCharacters(problem.outputs))
    return problem.begin(made())


def loss_of(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross-entropy, of each character if they are characters."""
    return F.cross_entropy(logits.flatten(0, -2), targets.flatten())


def workshop(problem: Problem, pace: Pace) -> None:
    """Train as torch's tutorials do, and add up the losses."""
    loader, network = loader_of(problem), network_of(problem)
    optimizer, clip = problem.adam(network, fused=False), problem.options["clip_norm"]
    while True:
        running = 0.0
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = loss_of(network(inputs), targets)
            loss.backward()
            if clip:
                nn.utils.clip_grad_norm_(network.parameters(), clip)
            optimizer.step()
            running += loss.item()
            pace.step(loss)


def accelerate(problem: Problem, pace: Pace) -> None:
    """Train with Hugging Face's accelerate."""
    from accelerate import Accelerator

    accelerator, plain = Accelerator(cpu=True), network_of(problem)
    optimizer, clip = problem.adam(plain), problem.options["clip_norm"]
    network, optimizer, loader = accelerator.prepare(plain, optimizer, loader_of(problem))
    while True:
        for inputs, targets in loader:
            loss = loss_of(network(inputs), targets)
            accelerator.backward(loss)
            if clip:
                accelerator.clip_grad_norm_(network.parameters(), clip)
            optimizer.step()
            optimizer.zero_grad()
            pace.step(loss)


def fabric(problem: Problem, pace: Pace) -> None:
    """Train with Lightning Fabric."""
    from lightning.fabric import Fabric

    made, plain = Fabric(accelerator="cpu", devices=1), network_of(problem)
    network, optimizer = made.setup(plain, problem.adam(plain))
    loader = made.setup_dataloaders(loader_of(problem), use_distributed_sampler=False)
    clip = problem.options["clip_norm"]
    while True:
        for inputs, targets in loader:
            loss = loss_of(network(inputs), targets)
            made.backward(loss)
            if clip:
                made.clip_gradients(network, optimizer, max_norm=clip)
            optimizer.step()
            optimizer.zero_grad()
            pace.step(loss)


def lightning(problem: Problem, pace: Pace) -> None:
    """Train with Lightning's Trainer."""
    import lightning as lightning_package

    class Trained(lightning_package.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = network_of(problem)

        def training_step(self, batch: tuple[Tensor, Tensor], number: int) -> Tensor:
            return loss_of(self.network(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return problem.adam(self.network)

        def on_train_batch_end(self, outputs: Any, batch: Any, number: int) -> None:
            pace.step(outputs["loss"])

    off = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "gradient_clip_val": problem.options["clip_norm"],
    }
    trainer = lightning_package.Trainer(accelerator="cpu", devices=1, max_epochs=-1, **off)
    trainer.fit(Trained(), loader_of(problem))


def transformers(problem: Problem, pace: Pace) -> None:
    """Train with Hugging Face's Trainer."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    class Trained(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.loss = network_of(problem), torch.zeros(())

        def forward(self, inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
            loss = loss_of(self.network(inputs), targets)
            self.loss = loss.detach()
            return {"loss": loss}

    class Named(DataLoader[Any]):
        """The loader, whose batches are by name."""

        def __iter__(self) -> Any:
            return ({"inputs": x, "targets": y} for x, y in super().__iter__())

    class Paced(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            pace.step(network.loss)

    class FromLoader(Trainer):
        def get_train_dataloader(self) -> Any:
            return Named(plain.dataset, problem.batch, sampler=plain.sampler)

    network, plain = Trained(), loader_of(problem)
    optimizer = problem.adam(network)
    constant = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    with tempfile.TemporaryDirectory() as folder:
        options = TrainingArguments(
            folder,
            per_device_train_batch_size=problem.batch,
            max_steps=10**9,
            max_grad_norm=problem.options["clip_norm"] or 0,
            use_cpu=True,
            logging_strategy="no",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trained = {"train_dataset": plain.dataset, "optimizers": (optimizer, constant)}
        FromLoader(network, options, callbacks=[Paced()], **trained).train()
