"""SHA-256 of the weights that every shipped job trains: `python -m tests.weights [JOB...]`.

Those whose length is in steps are cut to STEPS of them.

A change that is to leave the numbers alone prints the same table before and after, on one machine.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

JOBS = Path(__file__).parent.parent / "jobs"
STEPS = 30


def main(names: list[str]) -> None:
    for name in names or sorted(path.stem for path in JOBS.glob("*.yaml")):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
            print(f"{name:12}  {trained(JOBS / f'{name}.yaml', Path(root))}", flush=True)


def trained(job: Path, root: Path) -> str:
    """Train a job with seed 0 on this machine, and return the digest of its last weights."""
    environment = {
        **os.environ,
        "HPCDL_RUN_ROOT": str(root),
        "MLFLOW_TRACKING_URI": f"sqlite:///{root}/store.db",
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "hpc_dl", "submit", str(job), "--local", "train.seed=0"]
    if "  steps:" in job.read_text():
        command.append(f"train.steps={STEPS}")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{job}:\n{done.stdout}\n{done.stderr}")
    newest = max(root.glob("*/checkpoints/step-*/state.pt"), key=lambda it: it.parent.name)
    return digest(torch.load(newest, weights_only=True)["engine"])


def digest(engine: dict[str, Any]) -> str:
    """SHA-256 over the networks' weights and their moving averages, in their own order."""
    found = hashlib.sha256()
    for part in ("networks", "averages"):
        for network, tensors in sorted(engine[part].items()):
            for key, tensor in tensors.items():
                found.update(f"{part}/{network}/{key}/{tuple(tensor.shape)}".encode())
                found.update(tensor.contiguous().numpy().tobytes())
    return found.hexdigest()


if __name__ == "__main__":
    main(sys.argv[1:])
