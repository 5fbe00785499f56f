"""Files in the layout of CIFAR, with pictures of noise: only their names and forms are CIFAR's."""

import pickle
import tarfile
from pathlib import Path

import numpy as np

from hpc_dl.data.sources import cifar


def write(folder: Path, name: str = "cifar10") -> None:
    """Write the files of a set, with as many pictures as `cifar.EXAMPLES` says."""
    files, numbers = cifar.SETS[name], np.random.default_rng(0)
    folder.mkdir(parents=True)
    for split, names in files.parts.items():
        count = cifar.EXAMPLES[split] // len(names)
        for file in names:
            data = numbers.integers(0, 256, (count, cifar.PIXELS), dtype=np.uint8)
            label = [int(it) for it in np.arange(count) % len(files.classes)]
            entry = {"batch_label": file, files.labels: label, "data": data}
            (folder / file).write_bytes(pickle.dumps(entry, protocol=2))


def pack(root: Path, name: str = "cifar10") -> Path:
    """Write the archive of a set, and return it."""
    files = cifar.SETS[name]
    write(root / files.folder, name)
    with tarfile.open(root / files.archive, "w:gz", compresslevel=1) as archive:
        archive.add(root / files.folder, files.folder)
    return root / files.archive
