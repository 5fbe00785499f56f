"""What a user's plain `nn.Module` does with a few made examples: what cannot train, or would not do
what it looks like, is refused at submission."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from hpc_dl.errors import UserError, first_few
from hpc_dl.tasks.contract import Batch, take
from hpc_dl.zoo.contract import Nets
from hpc_dl.zoo.modules import PlainModule

_KEEP = (
    "Make layers in the constructor, and keep each as an attribute, a list of them as an "
    "nn.ModuleList, a tensor as an nn.Parameter."
)
_SQUASHED = {"SoftmaxBackward0": "softmax", "SigmoidBackward0": "sigmoid"}


def check_gradient(module: PlainModule, nets: Nets, batch: Batch) -> Iterator[str]:
    """Check what would be trained, and yield notes. Raises UserError where that is nothing, or
    not all that the outputs depend on."""
    name, parameters = module.options.name, list(nets["model"].parameters())
    outputs = module.outputs(nets, batch)
    if lost := _lost(outputs, module.outputs(nets, batch), [*parameters, *batch.values()]):
        shapes = first_few([tuple(it.shape) for it in lost], 4)
        raise UserError(
            f"{name} computes with tensors that are not among its parameters, so that they would "
            f"be neither trained nor saved: of shape {shapes}",
            hint=_KEEP,
        )
    if not parameters:
        raise UserError(f"{name} has no parameters to train", hint=_KEEP)
    if not outputs.requires_grad:
        raise UserError(
            f"the outputs of {name} have no gradient",
            hint="Its parameters are frozen, or forward leaves autograd: by detach(), no_grad(), "
            "numpy(), item() or argmax().",
        )
    yield from _check_end(module, outputs)


def _leaves(outputs: Tensor) -> Iterator[Tensor]:
    """Yield the tensors for which a backward pass would compute a gradient."""
    seen, waiting = set(), [outputs.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name() == "torch::autograd::AccumulateGrad":
            yield node.variable  # type: ignore[attr-defined]
        waiting += [it for it, _ in node.next_functions]


def _lost(outputs: Tensor, again: Tensor, known: Iterable[Tensor]) -> list[Tensor]:
    """Return what else outputs depend on, of two calls: layers made in a call, and tensors that
    last from call to call. Others belong to a computation, such as a gradient by the inputs."""
    lasting, names = set(map(id, _leaves(again))), set(map(id, known))
    return [
        it
        for it in _leaves(outputs)
        if id(it) not in names and (id(it) in lasting or isinstance(it, nn.Parameter))
    ]


def _check_end(module: PlainModule, outputs: Tensor) -> Iterator[str]:
    """Look at what a network ends in. Raises UserError where no logits, and no standardised
    numbers, can come of it."""
    name = module.options.name
    if module.task.rescaled or outputs.grad_fn is None:
        return
    last = outputs.grad_fn.name()
    asked = "logits" if module.facts.classes else "standardised numbers, below 0 and above 1 too"
    sums_to_one = bool((outputs >= 0).all()) and torch.allclose(
        outputs.sum(-1), torch.ones(outputs.shape[:-1]), atol=1e-4
    )
    if last in _SQUASHED or (sums_to_one and outputs.shape[-1] > 1):
        raise UserError(
            f"{name} ends in a {_SQUASHED.get(last, 'softmax')}, but has to return {asked}",
            hint="Leave that out: the loss, the metrics and the predictions apply what they need.",
        )
    if last == "ReluBackward0":
        yield f"{name} ends in a relu, so that it returns nothing below 0; {asked} are asked for"


def watch(module: PlainModule, nets: Nets, batch: Batch) -> Iterator[str]:
    """Measure and predict in evaluation mode; yield notes of what changes the outputs.

    Raises UserError if what they are to predict does.
    """
    name, task = module.options.name, module.task
    module.measure(nets, take(batch, slice(1)))
    whole, again = (module.outputs(nets, batch) for _ in range(2))
    if task.causal:
        _check_causal(module, nets, batch)
    else:
        module.predict(nets, module.inputs(batch))
    if not _close(whole, again):
        yield (
            f"{name} returns other outputs for the same inputs, in validation and predictions too: "
            "does it draw random numbers (F.dropout needs training=self.training), or keep "
            "anything from call to call?"
        )
    elif module.facts.modality != "graph":
        alone = module.outputs(nets, take(batch, slice(1)))
        if not _close(whole[:1], alone):
            yield (
                f"{name}: the other examples of a batch change the outputs for an example, in "
                "validation and predictions too"
            )
    yield from _watch_padding(module, nets, batch)


def _check_causal(module: PlainModule, nets: Nets, batch: Batch) -> None:
    """Raise UserError where the outputs of a step depend on later ones."""
    name = module.facts.modality
    last = batch[name][:, -1:]
    other = (last + 1) % module.task.outputs if name == "text" else 1 - last
    changed = {**batch, name: torch.cat([batch[name][:, :-1], other], dim=1)}
    before, after = (module.outputs(nets, it)[:, :-1] for it in (batch, changed))
    if not _close(before, after):
        raise UserError(
            f"{module.options.name} returns for a step what depends on later ones, which it is "
            "to predict",
            hint="Let each step see those before it alone: a causal mask, or one direction.",
        )


def _watch_padding(module: PlainModule, nets: Nets, batch: Batch) -> Iterator[str]:
    name = module.facts.modality
    if f"{name}_length" not in batch:
        return
    padded = take(batch, slice(-1, None))
    length = int(padded[f"{name}_length"])
    alone = {**padded, name: padded[name][:, :length]}
    within, without = module.outputs(nets, padded), module.outputs(nets, alone)
    within = within[:, :length] if module.task.of_steps else within
    if not _close(within, without):
        yield (
            f"{module.options.name}: how much an example is padded, to the length of others of its "
            "batch, changes the outputs"
        )


def _close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-3, atol=1e-5, equal_nan=True)


def shapes(nets: Nets) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what a checkpoint keeps of a network, by name."""
    state = nets["model"].state_dict()
    return {name: tuple(it.shape) for name, it in state.items() if isinstance(it, Tensor)}


def check_shapes(
    name: str, before: dict[str, tuple[int, ...]], after: dict[str, tuple[int, ...]]
) -> None:
    """Raise UserError where a step has changed the shapes of a network's state."""
    for key in before.keys() | after.keys():
        there, now = before.get(key), after.get(key)
        if there != now:
            raise UserError(
                f"{name}: a step changes the shape of '{key}' from {there or 'none'} to "
                f"{now or 'none'}, so that no run could be resumed",
                hint="Give parameters and buffers their shape in the constructor; what lasts for a "
                "step alone is a plain attribute.",
            )
