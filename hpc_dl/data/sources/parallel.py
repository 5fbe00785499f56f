"""Any pair of line-aligned text files, such as those of OPUS and of Moses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hpc_dl.data.sentence_pairs.files import Pairs, read
from hpc_dl.data.sentence_pairs.source import PairSource, require_bleu
from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.sources.parallel import Parallel
from hpc_dl.jobspec.tokens import Kind

KEYS = {"train": "path", "validation": "validation_path", "test": "test_path"}


class ParallelSource(PairSource[Parallel]):
    """Two files for each split; splits that are not there are drawn from the training lines."""

    @property
    def kinds(self) -> tuple[Kind, Kind]:
        return self.options.tokens, self.options.tokens

    def describe(self) -> DataFacts:
        require_bleu()
        return super().describe()

    def pairs(self) -> Mapping[str, Pairs]:
        return {
            split: read(f"data.{key}", *self._two(key))
            for split, key in KEYS.items()
            if getattr(self.options, key)
        }

    def files(self) -> dict[str, Path]:
        named = [it for it in KEYS.values() if getattr(self.options, it)]
        return {f"data.{key}{it.suffix}": it for key in named for it in self._two(key)}

    def _two(self, key: str) -> list[Path]:
        """Return the files of both languages."""
        return [
            Path(f"{getattr(self.options, key)}.{it}").expanduser()
            for it in (self.options.source, self.options.target)
        ]
