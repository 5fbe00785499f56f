"""A user's own source: a function that returns tensors or graphs.

See `hpc_dl.data.user_functions.source`.
"""

from __future__ import annotations

from hpc_dl.data.library_source import LibrarySource
from hpc_dl.data.source import Loaded
from hpc_dl.jobspec.sources.user import UserData


class UserSource(LibrarySource[UserData]):
    """A function by its import path, `my_code.py:my_dataset`."""

    def read(self) -> Loaded:
        from hpc_dl.data.user_functions import source

        return source.load(self.options, self.code)
