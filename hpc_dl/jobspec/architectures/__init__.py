"""The options of every architecture: one file each; the folder is the registry.

Installed packages add theirs by entry points of the group `hpc_dl.architectures`, each of which
names a class of options, whose `network_module` names the module of its networks.
"""

from __future__ import annotations

from collections import ChainMap
from typing import TYPE_CHECKING

from hpc_dl.jobspec import registry
from hpc_dl.jobspec.choice import by_name
from hpc_dl.jobspec.model import Model, UserModel

GROUP = "hpc_dl.architectures"
ZOO = registry.Registry(__name__, GROUP, Model)
"""Name, or the library that has many, → options."""

if TYPE_CHECKING:
    ModelSpec = Model
else:
    ModelSpec = by_name(ChainMap({"own": UserModel}, ZOO))
