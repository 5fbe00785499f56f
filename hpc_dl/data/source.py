"""The interface of a source of data: its facts for the plan, its files, its examples.

`hpc_dl/data/sources/NAME.py` has one subclass of `Source` for the options in
`hpc_dl/jobspec/sources/NAME.py`. The login node describes sources: torch and numpy are imported in
the methods that read examples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from hpc_dl.data import fingerprint
from hpc_dl.data.names import Names
from hpc_dl.jobspec.data import Data
from hpc_dl.jobspec.facts import DataFacts

if TYPE_CHECKING:
    from hpc_dl.data.dataset import Split

Options = TypeVar("Options", bound=Data)
Loaded = tuple[DataFacts, "Mapping[str, Split]"]
"""The facts, and by name the splits that the source has: `train`, and maybe others."""


@dataclass(frozen=True)
class Fitted:
    """What was fitted on the training examples of a run, with which other data are prepared."""

    facts: DataFacts
    """Of the data that were trained on: their classes, tokens and columns."""
    assets: Path
    """The folder of its assets."""


@dataclass(frozen=True)
class Staging:
    """Location of the data and number of examples; None where it is not known."""

    where: str
    staged: bool | None = None
    examples: int | None = None


class Source(ABC, Generic[Options]):
    """A source of data, read with the options of a job spec."""

    fetches: ClassVar[bool] = False
    """True if `hpcdl data fetch NAME` can download it."""

    def __init__(
        self,
        options: Options,
        data_root: Path,
        code: Path = Path(),
        fitted: Fitted | None = None,
    ) -> None:
        """`data_root` is the folder of staged data, `code` that of the user's own files. With
        something `fitted` before, nothing is fitted on these data."""
        self.options, self.data_root, self.code = options, data_root, code
        self.fitted = fitted

    @abstractmethod
    def describe(self) -> DataFacts:
        """Return what the plan needs to know, without torch.

        Raises UserError where the data are not there, not all of them, or not as they have to be.
        """

    @abstractmethod
    def load(self) -> Loaded:
        """Read all examples into memory, on the CPU. The facts are those of `describe`."""

    def stream(self, workers: int, *, check: bool = True) -> Loaded:
        """Prepare examples that `workers` processes of each rank read while it trains; `check` all
        of them before, where that has not been done."""
        raise NotImplementedError(f"{self.options.name} is held in memory")

    def files(self) -> dict[str, Path]:
        """Return the files to fingerprint, by names that do not depend on where they lie."""
        found: dict[str, Path] = {}
        for key in self.options.paths:
            if path := getattr(self.options, key):
                found |= fingerprint.files_at(f"data.{key}", Path(path).expanduser())
        return found

    def names(self, splits: Mapping[str, Split]) -> Names:
        """Return what the examples are called in messages and in the table of predictions."""
        return Names.of_splits(splits)

    def assets(self, facts: DataFacts) -> dict[str, str]:
        """Return what was fitted on the training split, and a prediction from raw inputs needs: the
        texts of files by their names under `assets/` in the run folder and in the export."""
        return {}

    def staging(self) -> Staging:
        """Return where the data are, as `hpcdl data list` shows it."""
        return Staging(f"data.{self.options.paths[0]} of the spec" if self.options.paths else "")

    def fetch(self) -> None:
        """Download the data to where `staging` says."""
        raise NotImplementedError(f"{self.options.name} cannot be fetched")
