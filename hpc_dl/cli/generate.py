"""`hpcdl generate`: new pictures, text or music of a trained network."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.cli import out_file, progress, trained_model, words
from hpc_dl.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from hpc_dl.predictor import Predictor
    from hpc_dl.predictor.arrays import Array

HELP = "Generate by a trained network: pictures, text that follows a prompt, music."
COLUMNS = 8
SHOWN = 64
"""How many pictures the grid shows."""


def configure(parser: argparse.ArgumentParser) -> None:
    trained_model.add_model(parser)
    parser.add_argument(
        "rest",
        metavar="key=value",
        nargs="*",
        help="of text: length, temperature, top_k, top_p; of music: frames, temperature",
    )
    parser.add_argument("--count", type=int, default=1, help="how many (1)")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers (0)")
    parser.add_argument("--prompt", help="what text begins with; of music a MIDI file")
    parser.add_argument("--class", dest="label", help="of pictures, if the network knows classes")
    parser.add_argument(
        "-o",
        "--out",
        metavar="OUT",
        type=Path,
        help="a folder, for pictures (PNG) or music (MIDI and WAV); or FILE.npz; of text a file, "
        "else it is printed",
    )
    parser.add_argument("--force", action="store_true", help="replace what is there of that name")


def run(args: argparse.Namespace) -> int:
    if args.count < 1 or args.seed < 0:
        raise UserError("--count is at least 1, and --seed at least 0")
    _, params = words.divide(args.rest)
    if odd := [word for word in args.rest if "=" not in word]:
        raise UserError(f"{odd[0]} is no option key=value", hint="--prompt gives a prompt.")
    out_file.check(args.out, force=args.force)
    with tempfile.TemporaryDirectory(prefix="hpcdl-") as folder:
        predictor = words.load(trained_model.find(args, Path(folder)), params)
        _generate(args, predictor, params)
    return 0


def _generate(args: argparse.Namespace, predictor: Predictor, params: dict[str, str]) -> None:
    from hpc_dl.predictor import generation

    kind = generation.kind(predictor)
    if not kind:
        facts = predictor.architecture.facts
        raise UserError(
            f"{args.word} generates nothing: it was trained to {facts.task.replace('_', ' ')}",
            hint=f"hpcdl predict {args.word} INPUT",
        )
    if kind != "text" and args.out is None:
        raise UserError(f"{args.word} makes {kind}: -o FOLDER says where to put them")
    if kind != "text" and args.out.suffix != ".npz":
        out_file.check_folder(args.out)
    if kind != "pictures" and args.label is not None:
        raise UserError(f"--class is of pictures, but {args.word} makes {kind}")
    if kind == "pictures":
        if args.prompt is not None:
            raise UserError("--prompt is of text and music, but this network makes pictures")
        _pictures(args, predictor)
    elif kind == "text":
        _text(args, generation.texts(predictor, args.prompt, args.count, args.seed, params))
    else:
        _music(args, predictor, params)


def _pictures(args: argparse.Namespace, predictor: Predictor) -> None:
    from hpc_dl.predictor import generation

    parts = generation.pictures(predictor, args.count, args.seed, args.label)
    with progress.shown("pictures", args.count) as done:
        if args.out.suffix == ".npz":
            _arrays(args, ({"image": it.numpy()} for it in _counted(parts, done)))
            return
        with _folder(args) as folder:
            _png_files(_counted(parts, done), folder)


def _counted(parts: Iterable[Tensor], done: progress.Done) -> Iterator[Tensor]:
    for part in parts:
        yield part
        done(len(part))


def _png_files(parts: Iterable[Tensor], folder: Path) -> None:
    """Write pictures, and a grid of the first of them."""
    import torch
    from PIL import Image

    from hpc_dl.tasks.pictures.grids import grid

    shown: list[Tensor] = []
    number = 0
    for part in parts:
        shown += list(part[: SHOWN - len(shown)])
        for image in part:
            number += 1
            if len(image) not in (1, 3):
                raise UserError(
                    f"pictures of {len(image)} channels are no PNG", hint="-o FILE.npz holds them."
                )
            pixels = (image * 255).round().byte().permute(1, 2, 0).numpy()
            flat = pixels[..., 0] if len(image) == 1 else pixels
            Image.fromarray(flat).save(folder / f"{number:05d}.png")
    caption = f"{number} generated pictures" + (f", the first {SHOWN}" if number > SHOWN else "")
    grid(torch.stack(shown), COLUMNS, caption, generated=True).save(folder / "grid.png")


def _text(args: argparse.Namespace, texts: list[str]) -> None:
    from hpc_dl.run.layout import write_atomic

    joined = "\n---\n".join(texts) + "\n"
    if args.out is None:
        sys.stdout.write(joined)
    else:
        write_atomic(args.out, joined)


def _music(args: argparse.Namespace, predictor: Predictor, params: dict[str, str]) -> None:
    from hpc_dl.predictor import generation
    from hpc_dl.tasks.music import midi, sound

    prompt = Path(args.prompt) if args.prompt else None
    pieces = generation.music(predictor, prompt, args.count, args.seed, params)
    if args.out.suffix == ".npz":
        _arrays(args, [{"notes": it[None]} for it in pieces])
        return
    rate = predictor.architecture.facts.inputs["music"].rate
    with _folder(args) as folder:
        for number, piece in enumerate(pieces, start=1):
            name = folder / f"{number:05d}"
            name.with_suffix(".wav").write_bytes(sound.wav(piece, rate))
            if content := midi.write(piece, rate):
                name.with_suffix(".mid").write_bytes(content)
            elif number == 1:
                sys.stderr.write(f"note: {midi.ABSENT}\n")


def _arrays(args: argparse.Namespace, parts: Iterable[dict[str, Array]]) -> None:
    from hpc_dl.predictor import results

    with results.writing(args.out, force=args.force) as writer:
        for part in parts:
            writer.write({}, part)
    _tell(args)


@contextlib.contextmanager
def _folder(args: argparse.Namespace) -> Iterator[Path]:
    """Write into a folder that is put in its place at the end, or whose files are, where there is
    one of that name."""
    out = args.out.absolute()
    made = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        yield made
        made.chmod(0o777 & ~_umask())
        if out.is_dir():
            for file in made.iterdir():
                file.replace(out / file.name)
        else:
            made.rename(out)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    _tell(args)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _tell(args: argparse.Namespace) -> None:
    sys.stderr.write(f"{args.count} generated: {args.out}\n")
