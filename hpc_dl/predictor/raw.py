"""Choice of what converts a user's raw inputs, by the modality that a network was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from hpc_dl.data import tokens
from hpc_dl.data.audio.form import AudioForm
from hpc_dl.data.tagged.encoding import WordEncoder
from hpc_dl.jobspec.csv_format import CsvFormat
from hpc_dl.predictor.inputs import Inputs
from hpc_dl.predictor.music import Music
from hpc_dl.predictor.prompts import Prompts
from hpc_dl.predictor.recordings import Recordings
from hpc_dl.predictor.sentences import Sentences
from hpc_dl.predictor.texts import Texts
from hpc_dl.predictor.videos import Videos
from hpc_dl.zoo.trained import Trained


class RawInputs(Protocol):
    """Converts what a user gives to `predict`."""

    def batch(self, given: Any) -> dict[str, Tensor]:
        """Return the tensors for `predict`. Raises UserError for what does not fit the network."""


def of(trained: Trained, assets: Path) -> RawInputs:
    """Return the inputs of a trained network; `assets` is the folder of what was fitted for it."""
    facts = trained.architecture.facts
    if facts.task == "tag":
        return Sentences(WordEncoder.load(assets), facts.shape[0])
    if facts.modality == "text" and facts.task == "predict_next":
        return Prompts(tokens.load(assets / tokens.FILE))
    if facts.modality == "text":
        return Texts(tokens.load(assets / tokens.FILE), facts.inputs["text"].longest)
    if facts.modality in ("audio", "music", "video"):
        return _of_media(trained, assets)
    return Inputs(
        trained.inputs,
        trained.architecture.ranges(),
        trained.resized,
        facts.raw,
        CsvFormat.of_training(facts.csv),
        facts.undirected,
        [name for name, feature in facts.inputs.items() if feature.gaps],
    )


def _of_media(trained: Trained, assets: Path) -> RawInputs:
    """Return the inputs of what is heard or seen over time."""
    facts = trained.architecture.facts
    if facts.modality == "music":
        return Music(facts.inputs["music"].rate)
    if facts.modality == "video":
        return Videos(facts.shape, trained.resized)
    return Recordings(AudioForm.of_training(assets, facts.inputs["audio"].rate))
