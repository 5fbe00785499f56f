"""The loops over a DataLoader that tutorials and frameworks have, of classifiers of images.

Each is spared what it need not do here: logging, progress bars, checkpoints.
"""

from __future__ import annotations

import tempfile
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.networks import CLASSIFIERS
from benchmarks.pace import Pace
from benchmarks.problem import Order, Problem
from hpc_dl.torchvision_compat import torchvision

torchvision()  # before a framework imports it


def loader_of(problem: Problem) -> DataLoader[tuple[Tensor, ...]]:
    """Return a DataLoader of images as floats, and labels."""
    images = problem.examples["image"].float().div_(255)
    dataset = TensorDataset(images, problem.examples["label"])
    return DataLoader(dataset, problem.batch, sampler=Order(problem))


def network_of(problem: Problem) -> nn.Module:
    return problem.begin(CLASSIFIERS[problem.workload]())


def workshop(problem: Problem, pace: Pace) -> None:
    """Train as torch's tutorials do, and add up the losses."""
    loader, network = loader_of(problem), network_of(problem)
    loss_fn, optimizer = nn.CrossEntropyLoss(), problem.adam(network, fused=False)
    while True:
        running = 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = loss_fn(network(images), labels)
            loss.backward()
            optimizer.step()
            running += loss.item()
            pace.step(loss)


def accelerate(problem: Problem, pace: Pace) -> None:
    """Train with Hugging Face's accelerate."""
    from accelerate import Accelerator

    accelerator, plain = Accelerator(cpu=True), network_of(problem)
    optimizer = problem.adam(plain)
    network, optimizer, loader = accelerator.prepare(plain, optimizer, loader_of(problem))
    while True:
        for images, labels in loader:
            loss = F.cross_entropy(network(images), labels)
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
            pace.step(loss)


def fabric(problem: Problem, pace: Pace) -> None:
    """Train with Lightning Fabric."""
    from lightning.fabric import Fabric

    made, plain = Fabric(accelerator="cpu", devices=1), network_of(problem)
    network, optimizer = made.setup(plain, problem.adam(plain))
    loader = made.setup_dataloaders(loader_of(problem), use_distributed_sampler=False)
    while True:
        for images, labels in loader:
            loss = F.cross_entropy(network(images), labels)
            made.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
            pace.step(loss)


def lightning(problem: Problem, pace: Pace) -> None:
    """Train with Lightning's Trainer."""
    import lightning as lightning_package

    class Classifier(lightning_package.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = network_of(problem)

        def training_step(self, batch: tuple[Tensor, Tensor], number: int) -> Tensor:
            return F.cross_entropy(self.network(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return problem.adam(self.network)

        def on_train_batch_end(self, outputs: Any, batch: Any, number: int) -> None:
            pace.step(outputs["loss"])

    off = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = lightning_package.Trainer(accelerator="cpu", devices=1, max_epochs=-1, **off)
    trainer.fit(Classifier(), loader_of(problem))


def transformers(problem: Problem, pace: Pace) -> None:
    """Train with Hugging Face's Trainer."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.loss = network_of(problem), torch.zeros(())

        def forward(self, image: Tensor, label: Tensor) -> dict[str, Tensor]:
            loss = F.cross_entropy(self.network(image), label)
            self.loss = loss.detach()
            return {"loss": loss}

    class Named(DataLoader[Any]):
        """The loader, whose batches are by name."""

        def __iter__(self) -> Any:
            return ({"image": image, "label": label} for image, label in super().__iter__())

    class Paced(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            pace.step(network.loss)

    class FromLoader(Trainer):
        def get_train_dataloader(self) -> Any:
            return Named(plain.dataset, problem.batch, sampler=plain.sampler)

    network, plain = Classifier(), loader_of(problem)
    optimizer = problem.adam(network)
    constant = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    with tempfile.TemporaryDirectory() as folder:
        options = TrainingArguments(
            folder,
            per_device_train_batch_size=problem.batch,
            max_steps=10**9,
            max_grad_norm=0,
            use_cpu=True,
            logging_strategy="no",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trained = {"train_dataset": plain.dataset, "optimizers": (optimizer, constant)}
        FromLoader(network, options, callbacks=[Paced()], **trained).train()
