"""Sentences with tags in a user's own CoNLL column files."""

from __future__ import annotations

from pathlib import Path

from hpc_dl.data.tagged import conll
from hpc_dl.data.tagged.sentences import Corpus
from hpc_dl.data.tagged.source import TaggedSource
from hpc_dl.jobspec.sources.conll import Conll

FILES = {"train": "path", "validation": "validation_path", "test": "test_path"}
"""Split → option that names its file."""


class ConllSource(TaggedSource[Conll]):
    """The sentences of a file; the same for validation and test, if given."""

    @property
    def where(self) -> str:
        return f"data.path: {self.options.path}"

    def read(self) -> tuple[Corpus, tuple[str, ...]]:
        columns = conll.Columns(self.options.word, self.options.column)
        corpus, notes = {}, list[str]()
        for name, option in FILES.items():
            if path := getattr(self.options, option):
                corpus[name], more = conll.read(f"data.{option}", Path(path), columns)
                notes += more
        return corpus, tuple(notes)
