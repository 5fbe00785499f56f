"""Everything that a rank imports, for the process that ranks are forked from.

It must do nothing else: threads do not survive a fork.
"""

import importlib
import os

os.environ["OMP_NUM_THREADS"] = "1"  # read once, at the import of torch, as in a real job
for name in (
    "hpc_dl.train.worker",
    "hpc_dl.zoo.ffnn",
    "hpc_dl.zoo.vae",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "torch._dynamo",
    "torch.distributed.tensor",
):
    importlib.import_module(name)
