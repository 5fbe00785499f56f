"""Words of the commands that use a trained network: options of the task, and its predictor."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpc_dl.cli.trained_model import TrainedModel
    from hpc_dl.predictor import Predictor

_OPTION = re.compile(r"([a-z_]+(?:\.[a-z_-]+)*)=(.*)", re.DOTALL)


def divide(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Divide words into those that are no options, and options `key=value`."""
    found = {word: _OPTION.fullmatch(word) for word in words}
    options = {match[1]: match[2] for match in found.values() if match}
    return [word for word in words if not found[word]], options


def load(model: TrainedModel, params: Mapping[str, str]) -> Predictor:
    """Load a network on the accelerator, if there is one, and set its options.

    Raises UserError for a damaged export, and for options that the predictions do not have.
    """
    from hpc_dl.predictor import Predictor
    from hpc_dl.predictor.bulk import device

    predictor = Predictor(model.export, device())
    predictor.set_params(params)
    return predictor
