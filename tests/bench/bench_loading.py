"""How fast pictures come, resident and streamed, beside a bare DataLoader, in one run.

The bare loader is what a tutorial would write: one picture an index, decoded in the same way, with
torch's own collation, shuffling and (forked, persistent) workers. Ratios are to it, with the same
number of workers. Resident pictures are decoded before the clock starts.

    python -m tests.bench.bench_loading [PICTURES [SIDE]]
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from hpc_dl.data.pictures import folders
from hpc_dl.data.pictures.cache import decode
from hpc_dl.data.sampler import Batches
from hpc_dl.data.transforms.augment import Augmentation
from hpc_dl.jobspec.data import Augment
from hpc_dl.jobspec.sources.image_folder import ImageFolder
from tests.support import reading
from tests.support.pictures import folder_of_pictures

BATCH, WORKERS, ROUNDS = 64, 2, 5
AUGMENT = Augment(crop=4, flip=True, noise=0.05)

Epoch = Callable[[int], Iterable[Mapping[str, Tensor]]]


class Bare(Dataset[dict[str, object]]):
    """The same pictures, one by one."""

    def __init__(self, source: ImageFolder) -> None:
        self.source = source
        self.pictures = folders.scan(source).pictures["train"]

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, number: int) -> dict[str, object]:
        path, label = self.pictures[number]
        pixels = torch.from_numpy(decode(path, self.source).copy())
        return {"image": pixels.float().div_(255), "label": label}


def bare(source: ImageFolder, workers: int) -> Epoch:
    loader = DataLoader(
        Bare(source), BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    return lambda _: loader


def ours(source: ImageFolder, cache: Path, workers: int | None, *, augment: bool = False) -> Epoch:
    split = reading.load(source, cache, cache, workers).train
    change = Augmentation(AUGMENT, "image", split.device) if augment else None
    batches = Batches(split, BATCH, BATCH, 0, 0, 1, change)
    return lambda epoch: (batch for step in batches.steps(epoch) for batch in step)


def main() -> None:
    count, side = [int(word) for word in sys.argv[1:]] + [2000, 160][len(sys.argv) - 1 :]
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        root = folder_of_pictures(here / "pictures", count, side, "jpg")
        (here / "cache").mkdir()
        source = ImageFolder(name="image_folder", root=str(root), size=[side // 2, side // 2])
        loaders = {
            "bare DataLoader, 0 workers": bare(source, 0),
            f"bare DataLoader, {WORKERS} workers": bare(source, WORKERS),
            "streaming, 0 workers": ours(source, here, 0),
            f"streaming, {WORKERS} workers": ours(source, here, WORKERS),
            f"streaming, {WORKERS} workers, augmented": ours(source, here, WORKERS, augment=True),
            "resident": ours(source, here, None),
            "resident, augmented": ours(source, here, None, augment=True),
        }
        report(loaders, f"{count} pictures of {side} x {side} to {side // 2} x {side // 2}")


def report(loaders: Mapping[str, Epoch], what: str) -> None:
    paces: dict[str, list[float]] = {name: [] for name in loaders}
    for number in range(ROUNDS + 1):  # the first warms up: files, workers, imports
        for name, epoch in loaders.items():
            started = time.perf_counter()
            seen = sum(len(batch["label"]) for batch in epoch(number))
            if number:
                paces[name].append(seen / (time.perf_counter() - started))
    medians = {name: statistics.median(found) for name, found in paces.items()}
    write = sys.stdout.write
    write(f"{what}, batch {BATCH}, median of {ROUNDS} epochs\n")
    for name, pace in medians.items():
        of = medians[f"bare DataLoader, {WORKERS if f'{WORKERS} w' in name else 0} workers"]
        write(f"{name:32} {pace:9.0f} images/s  {pace / of:7.2f}\n")


if __name__ == "__main__":
    main()
