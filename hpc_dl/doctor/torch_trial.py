"""Try out torch: `python -m hpc_dl.doctor.torch_trial` prints what it can do here, as JSON."""

from __future__ import annotations

import json
import sys
import time
import warnings
from typing import Any


def examine() -> dict[str, Any]:
    """Return torch's version and build, and the GPUs that it can use."""
    began = time.monotonic()
    import torch

    seconds = time.monotonic() - began
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        works = torch.cuda.is_available()
        count = torch.cuda.device_count() if works else 0
    driver = torch._C._cuda_getDriverVersion() if torch.version.cuda else 0  # type: ignore[attr-defined]
    return {
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "hip": torch.version.hip,
        "driver_cuda": f"{driver // 1000}.{driver % 1000 // 10}" if driver else None,
        "gpus": [torch.cuda.get_device_name(it) for it in range(count)],
        "warnings": [str(it.message).splitlines()[0] for it in said],
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(examine()) + "\n")
