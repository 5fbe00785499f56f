"""Sources that somebody else's code gives: described by calling it, in another process."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from pathlib import Path

from hpc_dl.data import describe
from hpc_dl.data.source import Loaded, Options, Source
from hpc_dl.jobspec.data import DataFacts


class LibrarySource(Source[Options]):
    """A source of which everything is known by calling somebody else's code.

    It is described by loading it in another process, and fingerprinted by its tensors.
    """

    @abstractmethod
    def read(self) -> Loaded:
        """Call that code, and return the facts and the splits that it gives."""

    def describe(self) -> DataFacts:
        return describe.in_subprocess(self)

    def load(self) -> Loaded:
        from hpc_dl.data.tensor_digests import digest_names, digests

        facts, splits = self.read()
        what = "targets" if facts.targets else "classes"
        named = (f"the names of {what}", digest_names(facts.targets or facts.classes))
        return replace(facts, contents=(*digests(splits), named)), splits

    def files(self) -> dict[str, Path]:
        return {}
