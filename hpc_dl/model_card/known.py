"""What a completed run knows about its network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpc_dl.data.fingerprint import Fingerprint
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.plan import Plan
from hpc_dl.run import records
from hpc_dl.run.events import Event
from hpc_dl.run.journal_tail import open_tail
from hpc_dl.run.layout import RunDir, read_bytes, read_json
from hpc_dl.run.weights import Weights


@dataclass(frozen=True)
class Known:
    """The files of a run that a card is made of."""

    run_id: str
    spec: JobSpec
    spec_text: str
    plan: Plan
    fingerprint: Fingerprint | None
    provenance: dict[str, Any]
    exported: dict[str, Any]
    """Content of `model.json`."""
    started: Event
    """The event of the attempt that ended the training; {} where it is not known."""
    summary: Event
    resumed: bool
    """Whether other attempts trained before."""

    @classmethod
    def of(cls, run: RunDir) -> Known:
        """Read the files. Raises DamagedFile for one that is missing or damaged."""
        with open_tail(run.journal) as tail:
            started, summary = tail.newest("started") or {}, tail.newest("summary") or {}
            first = tail.oldest("started") or {}
        return cls(
            run_id=run.id,
            spec=records.load_spec(run),
            spec_text=hidden(read_bytes(run.spec).decode()),
            plan=records.load(run.plan, Plan),
            fingerprint=records.find(run.fingerprint, Fingerprint),
            provenance=_mapping(read_json(run.provenance)),
            exported=_mapping(records.load(run.export / "model.json", dict)),
            started=started,
            summary=summary,
            resumed=first.get("attempt") != started.get("attempt"),
        )

    @property
    def data_name(self) -> str:
        """The name of the data set; of a user's own that of the file or the folder."""
        data, fields = self.spec.data, type(self.spec.data).model_fields
        own = [it for it in data.paths[:1] if it == "path" or fields[it].is_required()]
        place = getattr(data, own[0], None) if own else None
        return Path(place).name if place else data.name

    @property
    def weights(self) -> Weights | None:
        """The weights that were tested and exported."""
        return Weights.from_json(self.summary.get("weights"))

    @property
    def environment(self) -> dict[str, Any]:
        """What the last attempt found on its node."""
        return _mapping(self.started.get("environment"))

    @property
    def packages(self) -> dict[str, Any]:
        """The versions of the packages of the last attempt."""
        return _mapping(self.environment.get("packages"))

    @property
    def own_code(self) -> dict[str, Any]:
        """The git checkout that it was submitted from."""
        return _mapping(_mapping(self.provenance.get("git")).get("own"))

    @property
    def hpcdl(self) -> dict[str, Any]:
        """Version and digest of hpcdl at the newest submission."""
        resumed = self.provenance.get("resumed")
        newest = resumed[-1] if isinstance(resumed, list) and resumed else self.provenance
        return _mapping(_mapping(newest).get("hpcdl"))

    def metrics(self, split: str) -> dict[str, Any]:
        """Return the metrics of the exported weights on `validation` or `test`, by name."""
        found = self.summary.get("values" if split == "test" else split)
        return {name.removeprefix("test/"): it for name, it in _mapping(found).items()}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
