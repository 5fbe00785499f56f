"""Imports of a rank, for the process that ranks are forked from.

It must do nothing else: threads do not survive a fork.
"""

import gc
import importlib
import os
import pkgutil

os.environ["OMP_NUM_THREADS"] = "1"  # read once, at the import of torch, as in a real job

from hpc_dl.torchvision_compat import torchvision
from hpc_dl.train.environment import packages
from hpc_dl.zoo import architectures

for name in ("models.resnet", "datasets"):
    torchvision(name)
for name in (
    "hpc_dl.train.main",
    *(
        f"hpc_dl.zoo.architectures.{module.name}"
        for module in pkgutil.iter_modules(architectures.__path__)
    ),
    "torchmetrics.classification",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "torch._dynamo",
    "torch.distributed.tensor",
):
    importlib.import_module(name)

packages()
gc.freeze()  # a collection in a rank would else go through all of this
