"""The folder of a sweep: what its jobs share, without a server or a lock.

    sweep.json      the name of the sweep, what it was submitted from, its metric and goal
    job.yaml        the resolved job spec, of which each trial changes some values
    submitted.yaml  the job spec as the user wrote it, with the overrides
    code/           the user's own files, as they were at submission
    trials.jsonl    the trials, a line each
    chosen/         the values of the trials whose values are chosen as they begin: TRIAL.json
    claims/         which job has taken which unit: TRIAL-RUNG.NUMBER.json
    results/        the results of the units: TRIAL-RUNG.json
    arrays/         the submitted arrays of jobs, a folder each

Files are made whole, by a rename or a hard link, and never change afterwards. Whoever makes a claim
first has it, on any node.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.suggestions import closest
from hpc_dl.run import layout
from hpc_dl.run.layout import RunDir, read_bytes, read_json, write_atomic, write_json
from hpc_dl.run.submission import Submission
from hpc_dl.sweep.trial import Result, Trial, Unit

_ID = re.compile(r"(.+)\.s(\d+)")


@dataclass(frozen=True)
class SweepDir:
    """The folder of a sweep, beside its runs; its name is the sweep's id, `NAME.sNUMBER`."""

    path: Path

    @property
    def id(self) -> str:
        """The name of all its runs, too: trial 7 is the run `NAME.sNUMBER-7`."""
        return self.path.name

    @property
    def name(self) -> str:
        """The name in the job spec."""
        return self.id.rpartition(".")[0]

    @property
    def root(self) -> Path:
        """The folder of all runs."""
        return self.path.parent

    @property
    def info(self) -> Path:
        return self.path / "sweep.json"

    @property
    def spec(self) -> Path:
        """The resolved job spec, with its section `sweep`."""
        return self.path / "job.yaml"

    @property
    def submitted(self) -> Path:
        """The job spec as it was submitted, with the overrides."""
        return self.path / "submitted.yaml"

    @property
    def code(self) -> Path:
        """The user's own files, as they were at submission."""
        return self.path / "code"

    @property
    def trials(self) -> Path:
        return self.path / "trials.jsonl"

    @property
    def chosen(self) -> Path:
        return self.path / "chosen"

    @property
    def claims(self) -> Path:
        return self.path / "claims"

    @property
    def results(self) -> Path:
        return self.path / "results"

    @property
    def arrays(self) -> Path:
        return self.path / "arrays"

    @property
    def study(self) -> Path:
        """Optuna's journal, where a sampler or pruner of Optuna chooses."""
        return self.path / "optuna.journal"

    @property
    def cancel(self) -> Path:
        """Exists once the user has asked for the sweep to be cancelled."""
        return self.path / "cancel-requested"

    def run(self, trial: int) -> RunDir:
        """Return the run folder of a trial, which is made when the trial begins."""
        return RunDir(self.root / f"{self.id}-{trial}")


def next_dir(root: Path, name: str) -> SweepDir:
    """Return the folder that the next sweep of a name would get."""
    number = max((it for it, _ in _numbered(root, name)), default=0) + 1
    return SweepDir(root / f"{name}.s{number}")


def create(root: Path, name: str, mode: int) -> SweepDir:
    """Create the folder of a new sweep; making it claims its number."""
    root.mkdir(parents=True, exist_ok=True)
    while True:
        made = next_dir(root, name)
        try:
            layout.make_folder(made.path, mode)
        except FileExistsError:
            continue
        for folder in (made.chosen, made.claims, made.results, made.arrays):
            layout.make_folder(folder, mode)
        return made


def find(root: Path, word: str) -> SweepDir:
    """Return the sweep of this id, or else the newest of this name. Raises UserError."""
    known = [it for it in find_all(root) if it.info.is_file()]
    for sweep in reversed(known):
        if word in (sweep.id, sweep.name):
            return sweep
    if word == "latest" and known:
        return max(known, key=lambda it: it.info.stat().st_mtime)
    names = list(dict.fromkeys(name for it in known for name in (it.name, it.id)))
    listed = f"There are: {first_few(names, 8)}." if names else "`hpcdl submit --sweep` starts one."
    raise UserError(f"there is no sweep '{word}' in {root}{closest(word, names)}", hint=listed)


def arrays(sweep: SweepDir) -> list[Submission]:
    """Return the submitted jobs, in their order. Raises DamagedFile."""
    folders = sorted(sweep.arrays.glob("*/*"), key=lambda it: (int(it.parent.name), it.name))
    found = (Submission.load(RunDir(it)) for it in folders)
    return [it for it in found if it is not None]


def forget_results(sweep: SweepDir, states: Collection[str]) -> list[Unit]:
    """Remove the results in these states, whose units are then taken again; return those."""
    found = [unit for unit, it in read_results(sweep).items() if it.state in states]
    for unit in found:
        (sweep.results / f"{_file(unit)}.json").unlink(missing_ok=True)
    return found


def find_all(root: Path, name: str | None = None) -> list[SweepDir]:
    """List the sweeps in a folder of runs, by name and number."""
    return [it for _, it in sorted(_numbered(root, name), key=lambda pair: (pair[1].name, pair[0]))]


def _numbered(root: Path, name: str | None) -> list[tuple[int, SweepDir]]:
    found = []
    for entry in os.scandir(root) if root.is_dir() else ():
        match = _ID.fullmatch(entry.name)
        if match and name in (None, match[1]) and entry.is_dir():
            found.append((int(match[2]), SweepDir(root / entry.name)))
    return found


# ---- the trials


def add_trials(sweep: SweepDir, trials: Iterable[Trial]) -> None:
    """Append trials; those that are there stay as they are."""
    lines = [json.dumps(dataclasses.asdict(it)) for it in [*read_trials(sweep), *trials]]
    write_atomic(sweep.trials, "".join(f"{line}\n" for line in lines))


def read_trials(sweep: SweepDir) -> list[Trial]:
    """Return the trials, in their order; without values where these are chosen later."""
    try:
        lines = read_bytes(sweep.trials).splitlines()
    except FileNotFoundError:
        return []
    trials = [Trial(**json.loads(line)) for line in lines]
    return [it if it.values else _with_chosen_values(sweep, it) for it in trials]


def _with_chosen_values(sweep: SweepDir, trial: Trial) -> Trial:
    values = read_json(sweep.chosen / f"{trial.number}.json")
    return dataclasses.replace(trial, values=values or {})


def choose_values(sweep: SweepDir, trial: Trial, values: dict[str, Any]) -> Trial:
    """Write the values of a trial, and return it with those that were written first."""
    _write_first(sweep.chosen / f"{trial.number}.json", values)
    return _with_chosen_values(sweep, trial)


# ---- the results


def write_result(sweep: SweepDir, result: Result) -> None:
    """Write the result of a unit."""
    write_json(sweep.results / f"{_file(result.unit)}.json", dataclasses.asdict(result))


def read_results(sweep: SweepDir) -> dict[Unit, Result]:
    """Return the results so far."""
    found = {}
    for unit in _units(sweep.results):
        value = read_json(sweep.results / f"{_file(unit)}.json")
        if value is not None:
            result = _RESULT.validate_python(value)
            found[result.unit] = result
    return found


def times(sweep: SweepDir) -> dict[Unit, float]:
    """Return when each result was written, in seconds since 1970, in this order."""
    found = {it: (sweep.results / f"{_file(it)}.json").stat().st_mtime for it in finished(sweep)}
    return dict(sorted(found.items(), key=lambda item: (item[1], item[0])))


def finished(sweep: SweepDir) -> set[Unit]:
    """Return the units that have a result."""
    return set(_units(sweep.results))


_RESULT = TypeAdapter(Result)


def _file(unit: Unit) -> str:
    return f"{unit.trial:06d}-{unit.rung}"


def _units(folder: Path) -> list[Unit]:
    found = []
    for name in os.listdir(folder):  # noqa: PTH208
        if match := re.fullmatch(r"(\d+)-(\d+)\.json", name):
            found.append(Unit(int(match[1]), int(match[2])))
    return sorted(found)


# ---- the claims


def claim(sweep: SweepDir, unit: Unit, number: int, holder: dict[str, Any]) -> bool:
    """Claim a unit for the `number`-th time, from 1 on; return whether nobody else has.

    The file has its content before it has its name: a claim is never without its holder.
    """
    return _write_first(sweep.claims / f"{_file(unit)}.{number}.json", holder)


def _write_first(path: Path, value: dict[str, Any]) -> bool:
    """Write a file that is not there yet; return whether nobody else has."""
    new = path.parent / f".{uuid.uuid4().hex}"
    write_json(new, value)
    try:
        os.link(new, path)
    except FileExistsError:
        return False
    finally:
        new.unlink(missing_ok=True)
    return True


def claims(sweep: SweepDir) -> dict[Unit, int]:
    """Return the units that are claimed, each with the number of its newest claim."""
    found: dict[Unit, int] = {}
    for name in os.listdir(sweep.claims):  # noqa: PTH208
        if match := re.fullmatch(r"(\d+)-(\d+)\.(\d+)\.json", name):
            unit = Unit(int(match[1]), int(match[2]))
            found[unit] = max(found.get(unit, 0), int(match[3]))
    return found


def holder(sweep: SweepDir, unit: Unit, number: int) -> dict[str, Any]:
    """Return who has made a claim. Raises DamagedFile."""
    found: dict[str, Any] = read_json(sweep.claims / f"{_file(unit)}.{number}.json") or {}
    return found
