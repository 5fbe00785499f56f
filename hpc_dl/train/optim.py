"""Optimizers: torch's fused ones, Muon, any other of torch's, and a user's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.sgd import sgd

from hpc_dl.errors import UserError
from hpc_dl.jobspec.optimizers import (
    SGD,
    Adam,
    AdamW,
    Muon,
    Optimizer,
    TorchOptimizer,
    UserOptimizer,
)
from hpc_dl.jobspec.signatures import Called
from hpc_dl.train import muon
from hpc_dl.train.gradient_sync import is_sharded
from hpc_dl.user_code import load_object


def spare_compiler_import() -> None:
    """Keep torch's optimizers from importing its compiler, which takes over a second.

    torch wraps these methods so that the compiler passes over them: the first call imports it to
    ask for that, unless the answer is kept already. Here it is the method itself, for optimizers
    are not compiled. A torch that keeps its answer elsewhere imports the compiler as before.
    """
    it = torch.optim.Optimizer
    for method in (it.add_param_group, it.state_dict, it.load_state_dict, it.zero_grad):
        plain: Any = getattr(method, "__wrapped__", None)
        if plain is not None and not hasattr(plain, _KEPT):
            setattr(plain, _KEPT, plain)


_KEPT = "__dynamo_disable"
spare_compiler_import()


class ShardedSGD(torch.optim.SGD):
    """Fused SGD over this rank's shards; torch has none for FSDP."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update the parameters that have a gradient."""
        for group in self.param_groups:
            parameters = [it for it in group["params"] if it.grad is not None]
            has_momentum = group["momentum"] != 0
            momenta = (
                [self.state[it]["momentum_buffer"] for it in parameters] if has_momentum else []
            )
            sgd(
                _local(parameters),
                _local([it.grad for it in parameters]),
                _local(momenta),
                fused=True,
                grad_scale=getattr(self, "grad_scale", None),
                found_inf=getattr(self, "found_inf", None),
                weight_decay=group["weight_decay"],
                momentum=group["momentum"],
                lr=group["lr"],
                dampening=group["dampening"],
                nesterov=group["nesterov"],
                maximize=group["maximize"],
            )


def _local(sharded: list[Any]) -> list[Any]:
    return [it.to_local() for it in sharded]


def _with_momentum(optimizer: torch.optim.SGD) -> torch.optim.SGD:
    """Set each parameter's momentum to 0 now, and after loading a state without one.

    torch would allocate it in the first step, and not write it if that one is skipped for a
    gradient that is not finite.
    """

    def fill(it: torch.optim.Optimizer) -> None:
        for group in it.param_groups:
            for parameter in group["params"] if group["momentum"] else ():
                if it.state[parameter].get("momentum_buffer") is None:
                    it.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)

    fill(optimizer)
    optimizer.register_load_state_dict_post_hook(fill)
    return optimizer


def optimizer(
    spec: Optimizer, network: nn.Module, code: Path, lr_scales: Mapping[str, float] | None = None
) -> torch.optim.Optimizer:
    """Build the optimizer of the trainable parameters; its rate is set at each step.

    A user's own is imported from `code`. `lr_scales` are factors of the rate, by the names of
    parameters; 1 for all others.
    """
    trainable = [name for name, it in network.named_parameters() if it.requires_grad]
    parameters = _groups(network, trainable, lr_scales or {})
    match spec:
        case SGD():
            sgd_of = ShardedSGD if is_sharded(network) else torch.optim.SGD
            return _with_momentum(
                sgd_of(
                    parameters,
                    momentum=spec.momentum,
                    nesterov=spec.nesterov,
                    weight_decay=spec.weight_decay,
                    fused=True,
                )
            )
        case AdamW() | Adam():
            kind = torch.optim.AdamW if isinstance(spec, AdamW) else torch.optim.Adam
            first, second = spec.betas
            return kind(
                parameters,
                betas=(first, second),
                weight_decay=spec.weight_decay,
                fused=True,
            )
        case Muon():
            hidden = muon.hidden_weights(network)
            return muon.Muon(
                _groups(network, [it for it in trainable if it in hidden], lr_scales or {}),
                _groups(network, [it for it in trainable if it not in hidden], lr_scales or {}),
                spec,
            )
    given, rate = called(spec, code), 1.0 if spec.lr == "auto" else spec.lr
    built: torch.optim.Optimizer = given.function(
        parameters, lr=rate, **given.keywords(spec.options)
    )
    return built


def _groups(
    network: nn.Module, names: Iterable[str], lr_scales: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Return the parameters of these names, a group for each factor of the learning rate."""
    groups: dict[float, list[nn.Parameter]] = {}
    for name in names:
        groups.setdefault(lr_scales.get(name, 1.0), []).append(network.get_parameter(name))
    # One may be empty: a frozen network has an optimizer that does nothing.
    return [
        {"params": found, **({"lr_scale": scale} if lr_scales else {})}
        for scale, found in groups.items()
    ] or [{"params": []}]


def called(spec: TorchOptimizer | UserOptimizer, code: Path) -> Called:
    """Return the class of an optimizer. Raises UserError for what is none, or has no `lr`."""
    found = _OF_TORCH.get(spec.name) or load_object(spec.name, code)
    if not (isinstance(found, type) and issubclass(found, torch.optim.Optimizer)):
        raise UserError(
            f"{spec.name} is no class of optimizers",
            hint=f"Write `class {spec.name.rpartition(':')[2]}(torch.optim.Optimizer)`.",
        )
    kind = Called(found, ("params", "lr", "maximize"))  # losses are minimised
    if not kind.takes("lr"):
        raise UserError(f"{spec.name} has no parameter `lr`, by which a schedule sets its rate")
    return kind


_OF_TORCH = {name.lower(): getattr(torch.optim, name) for name in torch.optim.__all__}
