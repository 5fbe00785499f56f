"""Headers of pictures: notes for the plan on how they will be decoded. Light."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hpc_dl.data.pictures.decoding import decode
from hpc_dl.data.pictures.header import Header, read_all
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.image_folder import ImageFolder

FEW = 16
"""Pictures of 16 bits that are decoded before a submission."""
DARK = 1 / 8
"""As a share of white: pictures that are all darker are refused."""
MOST = 2000
"""Most pictures whose headers are read before a submission, at even distances."""


def note_decoding(paths: Sequence[Path], source: ImageFolder, cache: Path) -> tuple[str, ...]:
    """Note how the pictures are turned, converted and resized when they are decoded.

    Raises UserError naming those that are no pictures; see `broken.refuse` for `cache`.
    """
    chosen = paths[:: -(-len(paths) // MOST)]
    many = f"{len(chosen)} pictures"
    if len(chosen) < len(paths):
        many = f"{len(chosen)} pictures sampled of {len(paths)}"
    found = read_all(chosen, many, Path(source.root).expanduser(), cache)
    _refuse_dark([it for it, known in zip(chosen, found, strict=True) if known.deep])
    return (*_counted(found, many, source.channels), *_resized(found, source))


def _refuse_dark(deep: Sequence[Path]) -> None:
    """Raise UserError for pictures of 16 bits that use the lowest of these alone, as those of 12
    bits do: of 8 bits too few would be left."""
    most = max((int(decode(path, 1).max()) for path in deep[:FEW]), default=255)
    if most < 255 * DARK:
        raise UserError(
            f"the pictures of 16 bits are almost black, such as {deep[0]}: the brightest of the "
            f"{min(len(deep), FEW)} sampled has {most} of 255",
            hint="Scale them so that white is 65535, or save them with 8 bits.",
        )


def _counted(found: list[Header], many: str, channels: int) -> list[str]:
    """Return a sentence on each property that some of the pictures have."""
    grey = sum(it.grey for it in found)
    counts = {
        "are turned upright, by their EXIF orientation": sum(it.turned for it in found),
        "have transparency: white is put behind them": sum(it.transparent for it in found),
        "have 16 bits a channel, which become 8": sum(it.deep for it in found),
        "have several frames or pages, of which the first is read": sum(it.several for it in found),
        "are in CMYK, and become RGB without their colour profile": sum(it.cmyk for it in found),
        "have more than three channels, of which the first are read": sum(it.extra for it in found),
        "are grey, and become RGB (data.channels: 1 reads all as grey)": grey * (channels == 3),
        "have colours, and become grey (data.channels: 3 keeps them)": (len(found) - grey)
        * (channels == 1),
    }
    return [f"{count} of {many} {what}" for what, count in counts.items() if count]


def _resized(found: list[Header], source: ImageFolder) -> list[str]:
    """Return a sentence where the pictures do not have the size in the spec."""
    wanted = (source.size[0], source.size[1])
    sizes = sorted({it.size for it in found}, key=lambda size: size[0] * size[1])
    if not sizes or sizes == [wanted]:
        return []
    there = _size(sizes[0]) if len(sizes) == 1 else f"{_size(sizes[0])} to {_size(sizes[-1])}"
    ratios = {round(height / width, 2) for height, width in sizes}
    kept = ratios == {round(wanted[0] / wanted[1], 2)}
    stretched = "" if kept else "; their proportions are not kept"
    return [
        f"pictures of {there} pixels are resized to {_size(wanted)} "
        f"(height x width, data.size){stretched}"
    ]


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
