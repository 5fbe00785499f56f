"""FLOP/s of a training, and its model FLOPs utilisation (MFU), from its examples a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from hpc_dl.data.sampler import Batches
from hpc_dl.jobspec.train import Train
from hpc_dl.train import flops
from hpc_dl.train.engine import Engine
from hpc_dl.train.flops import Flops
from hpc_dl.train.loop import Reported
from hpc_dl.usage import peak_flops
from hpc_dl.usage.flop_rate import MFU, RATE, readable


@dataclass(frozen=True)
class FlopRate:
    """What the FLOP/s follow from."""

    of_example: Mapping[str, Flops]
    """In an update of each player; empty where they are not known."""
    updates: Callable[[int], Sequence[str]]
    """The players that a step updates."""
    peak: Flops | None
    """Most FLOP/s of all GPUs together; None where they are not known."""

    def metrics(self, report: Reported) -> dict[str, float]:
        """Return what is known of the steps of a report.

        MFU is the share of the time that the model FLOPs would take at the peak (Chowdhery et al.,
        arXiv:2204.02311, appendix B): convolutions and other products may have peaks of their own.
        """
        if not self.of_example:
            return {}
        steps = range(report.since, report.step)
        taken = [self.of_example[name] for step in steps for name in self.updates(step)]
        times = report.values["train/examples_per_second"] / len(steps)
        found = {RATE: times * sum(it.total for it in taken)}
        if self.peak is not None:
            found[MFU] = 100 * times * sum(it.seconds_at(self.peak) for it in taken)
        return found


def of_training(engine: Engine, batches: Batches, options: Train) -> tuple[FlopRate, str]:
    """Count the model FLOPs of an example, and say what is known of them, or why nothing is."""
    updates = engine.architecture.updates
    try:
        found = flops.of_example(engine, batches)
    except flops.NotCounted as error:
        return FlopRate({}, updates, None), f"no FLOP/s and no MFU are reported: {error}"
    taken = ", ".join(f"{readable(it.total)}FLOPs" for it in found.values())
    text = f"model FLOPs of an example: {taken}; "
    device = engine.world.device
    if device.type != "cuda":
        return FlopRate(found, updates, None), text + "no MFU is reported of a CPU"
    gpu = torch.cuda.get_device_name(device)
    peak = peak_of(gpu, options)
    if peak is None:
        why = f"hpcdl does not know the peak FLOP/s of {gpu} in {options.precision}"
        return FlopRate(found, updates, None), f"{text}no MFU is reported: {why}"
    each = dict.fromkeys(f"{readable(it)}FLOP/s" for it in (peak.convolutions, peak.products))
    of_all = Flops(*(engine.world.size * it for it in (peak.convolutions, peak.products)))
    rates = " (convolutions) and ".join(each)
    return FlopRate(found, updates, of_all), f"{text}MFU is the share in {rates} of a {gpu}"


def peak_of(gpu: str, options: Train) -> Flops | None:
    """Return the most FLOP/s of a GPU for convolutions and for other products, which torch rounds
    to TF32 by default and by request; None where they are not known."""
    of_convolutions: str = options.precision
    of_products: str = options.precision
    if options.precision == "fp32":
        of_convolutions = "fp32" if options.tf32 is False else "tf32"
        of_products = "tf32" if options.tf32 else "fp32"
    convolutions = peak_flops.find(gpu, of_convolutions)
    products = peak_flops.find(gpu, of_products)
    if convolutions is None or products is None:
        return None
    return Flops(convolutions, products)
