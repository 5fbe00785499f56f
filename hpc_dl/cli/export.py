"""`hpcdl export`: a trained network as one file that is read without hpcdl."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from hpc_dl.cli import out_file, trained_model

HELP = "Write a trained network as one file that is read without hpcdl, checked against it."
SUFFIXES = {"torch-export": ".pt2", "onnx": ".onnx", "safetensors": ".safetensors"}
"""Of each format; `hpc_dl.predictor.formats` writes them."""


def configure(parser: argparse.ArgumentParser) -> None:
    trained_model.add_model(parser)
    parser.add_argument(
        "--format",
        required=True,
        choices=[*SUFFIXES],
        help="torch-export: the predictions as a graph, run by torch alone; onnx: the same, run by "
        "ONNX Runtime; safetensors: the weights alone",
    )
    parser.add_argument(
        "-o", "--out", metavar="OUT", type=Path, help="the file; RUN with the format's suffix here"
    )
    parser.add_argument("--force", action="store_true", help="replace OUT, if it is there")
    parser.epilog = (
        "The file and the network predict test examples of the run, where its data are within "
        "reach, and made-up inputs; where they differ, no file is written, and the exit code is 1. "
        "OUT.json says what it takes and gives."
    )


def run(args: argparse.Namespace) -> int:
    out_file.check(args.out, force=args.force)
    with tempfile.TemporaryDirectory(prefix="hpcdl-") as folder:
        model = trained_model.find(args, Path(folder))
        name = model.run.id if model.run else "model"
        out = args.out or Path(f"{name}{SUFFIXES[args.format]}")
        out_file.check(out, force=args.force)

        from hpc_dl.predictor import formats

        compared = formats.write(model.export, args.format, out, model.run)
    sys.stdout.write(
        f"{out}: predicts as {name} does; the largest difference is {compared}\n"
        f"{out}.json: its inputs and outputs\n"
    )
    return 0
