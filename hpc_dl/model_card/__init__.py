"""Model card of a completed run: what the network is, from which data, how good, how to load it; in
the form of Hugging Face (https://huggingface.co/docs/hub/model-cards). Light."""

from __future__ import annotations

from hpc_dl.model_card import front_matter, sections
from hpc_dl.model_card.known import Known
from hpc_dl.run.layout import RunDir, read_bytes, write_atomic

NAME = "README.md"


def write(run: RunDir) -> None:
    """Write the card into the export of a run. Raises DamagedFile."""
    write_atomic(run.export / NAME, make(Known.of(run)))


def make(known: Known) -> str:
    """Return the card: the front matter, and a page of Markdown."""
    return f"---\n{front_matter.make(known)}---\n\n{sections.make(known)}"


def page(run: RunDir) -> str:
    """Return the page of the run's card without the front matter, as it stands in the export, or
    anew where the run has none. Raises DamagedFile."""
    try:
        text = read_bytes(run.export / NAME).decode(errors="replace")
    except FileNotFoundError:
        return sections.make(Known.of(run))
    matter, mark, rest = text.partition("\n---\n")
    return rest.lstrip() if mark and matter.startswith("---") else text
