"""The options of every source of data: one file a source or family; the folder is the registry.

Installed packages add theirs by entry points of the group `hpc_dl.sources`, each of which names a
class of options, whose `source_module` names the module that reads the data.
"""

from __future__ import annotations

from collections import ChainMap
from typing import TYPE_CHECKING

from hpc_dl.jobspec import registry
from hpc_dl.jobspec.choice import by_name
from hpc_dl.jobspec.data import Data
from hpc_dl.jobspec.sources.user import UserData

GROUP = "hpc_dl.sources"
SOURCES = registry.Registry(__name__, GROUP, Data)
"""Name, or the library that has many, → options."""

if TYPE_CHECKING:
    DataSpec = Data
else:
    DataSpec = by_name(ChainMap({"own": UserData}, SOURCES))
