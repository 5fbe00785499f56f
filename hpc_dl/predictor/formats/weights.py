"""safetensors: the weights alone, for networks that are written anew elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import safetensors.torch
from torch import Tensor

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.predictor.formats.comparison import Run
from hpc_dl.predictor.formats.network import Network, axis_name
from hpc_dl.zoo import trained as trained_networks
from hpc_dl.zoo.trained import Trained


def write(trained: Trained, file: Path) -> dict[str, list[int | str]]:
    """Write the state dicts, whose tensors are called NETWORK/KEY; return the shapes of the
    network's inputs. Raises UserError for tensors that the format does not have."""
    try:
        content = safetensors.torch.save(trained_networks.flattened(trained.nets))
    except (KeyError, ValueError) as error:
        raise UserError(
            f"safetensors does not hold the weights of this network: {error}",
            hint="The file weights.pt of its export does.",
            exit_code=EXIT_FAILED,
        ) from error
    file.write_bytes(content)
    return {
        name: [axis_name(name, axis) if it == -1 else it for axis, it in enumerate(known["shape"])]
        for name, known in trained.inputs.items()
    }


def read(trained: Trained, file: Path) -> Run:
    """Return what predicts with fresh networks that have the weights of a file."""
    nets, states = trained.architecture.networks(), trained_networks.read_weights(file)
    for name, net in nets.items():
        net.load_state_dict(states.get(name, {}))
        net.eval()
    network = Network(trained, nets)

    def run(inputs: Sequence[Tensor]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = network(*inputs)
        return found

    return run
