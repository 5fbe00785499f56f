"""Pictures of data before they are trained on: examples, columns, lengths, graphs and classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from hpc_dl.data.dataset import Splits
from hpc_dl.data.show import (
    answers,
    graphs,
    images,
    music,
    recordings,
    sequences,
    tables,
    texts,
    videos,
)
from hpc_dl.data.show.panels import Panel, arrange
from hpc_dl.jobspec.data import Data
from hpc_dl.tasks.artifacts import Picture
from hpc_dl.tasks.pictures.names import label

_BY_MODALITY: Mapping[str, Callable[[Splits, Data], list[Panel]]] = {
    "table": tables.panels,
    "sequence": sequences.panels,
    "text": texts.panels,
    "graph": graphs.panels,
    "audio": recordings.panels,
    "video": videos.panels,
    "music": music.panels,
}


def draw(splits: Splits, options: Data, code: Path) -> Picture:
    """Draw what the training would see of a source with these options; a user's augmentation is
    imported from `code`."""
    facts = splits.facts
    of_images = partial(images.panels, code=code)
    examples = _BY_MODALITY.get(facts.modality, of_images)(splits, options)
    panels = [*examples, *answers.panels(splits)]
    sizes = f"{len(splits.train):,} training, {len(splits.validation):,} validation and "
    caption = f"{_name(options)}: {sizes}{len(splits.test):,} test examples"
    return arrange(panels, caption)


def _name(options: Data) -> str:
    """Return the name of a source, and of the file or folder that it reads."""
    paths = (getattr(options, key) for key in options.paths[:1])
    return " ".join([label(options.name), *(label(Path(path).name) for path in paths if path)])
