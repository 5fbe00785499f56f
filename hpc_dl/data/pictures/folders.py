"""Folders of pictures: what the plan needs to know of them. Light."""

from __future__ import annotations

from pathlib import Path

from hpc_dl.data.class_folders import scan
from hpc_dl.data.class_folders.form import Form
from hpc_dl.data.class_folders.scan import Found
from hpc_dl.data.splits.counts import Holdout, split_facts
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.sources.image_folder import ImageFolder

PICTURES = Form(
    "picture",
    (".png", ".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".ppm", ".tif", ".tiff", ".webp"),
)


def facts(source: ImageFolder, found: Found, cache: Path) -> DataFacts:
    """Return the facts of the folder; missing splits are drawn by the shares in the spec.

    Raises UserError naming files that are no pictures, among those whose headers are read.
    """
    # numpy and Pillow, for those who have pictures
    from hpc_dl.data.pictures import duplicates, header_notes

    root = Path(source.root).expanduser()
    groups = scan.find_groups(source.groups, root, found)
    splits = split_facts(found.labels, found.classes, Holdout.of(source), groups)
    notes = (
        *found.notes,
        *scan.note_pattern(source.groups),
        *header_notes.note_decoding(found.paths, source, cache),
        *duplicates.note_duplicates(found.files, root),
    )
    shape = (source.channels, *source.size)
    return DataFacts.of("image", "classify", shape, found.classes, notes=notes, **splits)
