"""Fréchet distance between real images: `python -m hpc_dl.verify.real_frechet RUN`.

It compares the training and the test images with the run's evaluation classifier. This is the
sampling error, below which generated images come only by chance. A process of its own, since it
needs torch. The last line of its output is the number.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from hpc_dl.data import loading, sources
from hpc_dl.data.dataset import Split
from hpc_dl.data.sampler import held_out
from hpc_dl.planning.plan import Plan
from hpc_dl.run import records
from hpc_dl.run.layout import RunDir
from hpc_dl.zoo.evaluation_classifier import EvaluationClassifier

BATCH = 512


def distance(run: RunDir) -> float:
    """Return the Fréchet distance between the training and the test images of a run."""
    spec, plan = records.load_spec(run), records.load(run.plan, Plan)
    splits = loading.load(sources.build(spec.data, Path(plan.data_root), run.code))
    classifier = EvaluationClassifier(spec.model.model_dump()["classifier"])
    return classifier.distance(_images(splits.train), _images(splits.test))


def _images(split: Split) -> Iterator[Tensor]:
    return (batch["image"] for batch in held_out(split, BATCH, 0, 1))


if __name__ == "__main__":
    sys.stdout.write(f"{distance(RunDir(Path(sys.argv[1])))}\n")
