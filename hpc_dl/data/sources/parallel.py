"""Any pair of line-aligned text files, such as those of OPUS and of Moses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hpc_dl.data.sentence_pairs.files import Pairs, read
from hpc_dl.data.sentence_pairs.source import PairSource, require_bleu
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
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
        named = {split: key for split, key in KEYS.items() if getattr(self.options, key)}
        for key in named.values():
            self._refuse_absent(key)
        return {split: read(f"data.{key}", *self._two(key)) for split, key in named.items()}

    def _refuse_absent(self, key: str) -> None:
        """Raise UserError for a file that is not there, and say what may be meant."""
        given, options = Path(getattr(self.options, key)), self.options
        absent = [it for it in self._two(key) if not (it.exists() or it.is_symlink())]
        if not absent:
            return
        packed = Path(f"{absent[0]}.gz")
        if packed.exists():
            hint = f"Unpack it: gunzip {packed}"
        elif given.suffix[1:] in (options.source, options.target):
            hint = f"Without the name of a language: data.{key}: {given.with_suffix('')}"
        else:
            hint = f"The files are data.{key}, a dot, and data.source or data.target."
        raise UserError(f"data.{key}: there is no file {absent[0]}", hint=hint)

    def files(self) -> dict[str, Path]:
        named = [it for it in KEYS.values() if getattr(self.options, it)]
        return {f"data.{key}{it.suffix}": it for key in named for it in self._two(key)}

    def _two(self, key: str) -> list[Path]:
        """Return the files of both languages."""
        return [
            Path(f"{getattr(self.options, key)}.{it}").expanduser()
            for it in (self.options.source, self.options.target)
        ]
