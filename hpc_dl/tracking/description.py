"""What MLflow is told of a run beside its metrics: parameters and tags, in words that it takes."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from hpc_dl.jobspec.credentials import hidden
from hpc_dl.run.layout import DamagedFile, RunDir, read_bytes, read_json
from hpc_dl.run.weights import Weights

RUN_TAG = "hpcdl.run_dir"
"""Tells which run folder an MLflow run stands for."""
_NOTE, _BEGINS = "mlflow.note.content", "Tested, drawn and exported:"
_LONGEST_NAME, _LONGEST_PARAMETER, _LONGEST_TAG = 250, 6000, 5000


def parameters(run: RunDir) -> dict[str, str]:
    """The resolved spec, flat: `model.latent_dim` and so on."""
    taken = {}
    for key, value in _flat(_spec(run)):
        taken[name(key)] = plain(hidden(str(value)), _LONGEST_PARAMETER)
    return taken


def experiment(run: RunDir) -> str:
    """The experiment that the spec names. Raises UserError where the spec is damaged."""
    return str(_spec(run)["tracking"]["experiment"])


def data(run: RunDir) -> dict[str, Any]:
    """What the spec says of the data. Raises UserError where the spec is damaged."""
    found = _spec(run).get("data")
    return found if isinstance(found, dict) else {}


def _spec(run: RunDir) -> dict[str, Any]:
    try:
        spec: dict[str, Any] = yaml.safe_load(read_bytes(run.spec))
        spec["tracking"]["experiment"]  # a damaged one shall not get as far as the store
    except FileNotFoundError:
        raise DamagedFile(run.spec, "is missing") from None
    except (ValueError, yaml.YAMLError, KeyError, TypeError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise DamagedFile(run.spec, f"is damaged: {why}") from None
    return spec


def files(run: RunDir) -> list[str]:
    """What is there before the run starts: spec, plan, script, origin, the user's code."""
    single = [run.spec, run.plan, run.script, run.provenance, run.fingerprint, run.diff]
    found = [*single, *sorted(run.code.rglob("*"))]
    names = [path.relative_to(run.path).as_posix() for path in found if path.is_file()]
    return [name for name in names if name == plain(name)]  # JSON has no other characters


def tags(run: RunDir) -> dict[str, str]:
    """Where the run is from: its folder, the code, the user, and the job."""
    origin, job = mapping(run.provenance), mapping(run.submission)
    repositories = origin.get("git")
    found = list(repositories.values()) if isinstance(repositories, dict) else []
    git: dict[str, Any] = found[0] if found and isinstance(found[0], dict) else {}
    command = origin.get("command")
    return _worth_saying(
        {
            RUN_TAG: run.path,
            "hpcdl.backend": job.get("backend"),
            "hpcdl.job_id": job.get("job_id"),
            "hpcdl.host": job.get("host"),
            "hpcdl.git_dirty": git.get("dirty"),
            "mlflow.user": origin.get("user"),
            "mlflow.source.name": " ".join(
                map(str, command if isinstance(command, list) else ["hpcdl"])
            ),
            "mlflow.source.type": "JOB",
            "mlflow.source.git.commit": git.get("commit"),
        }
    )


def environment(event: Mapping[str, Any]) -> dict[str, Any]:
    """What a worker found on its node, by a `started` event."""
    found = event.get("environment")
    return found if isinstance(found, dict) else {}


def started_tags(event: Mapping[str, Any], environment: Mapping[str, Any]) -> dict[str, str]:
    """What a `started` event says about the machine."""
    slurm = environment.get("slurm")
    job = slurm if isinstance(slurm, dict) else {}
    return _worth_saying(
        {
            "hpcdl.world_size": event.get("world_size"),
            "hpcdl.device": environment.get("gpu") or event.get("device"),
            "hpcdl.node": environment.get("host"),
            "hpcdl.attempt": event.get("attempt"),
            **{f"slurm.{key}": value for key, value in job.items()},
        }
    )


def results(event: Mapping[str, Any], there: Mapping[str, str]) -> dict[str, str]:
    """Which weights were tested and exported, and what they reach, by a `summary` event: as a tag,
    and as the description that MLflow shows above the metrics, unless a user has written one, as
    the tags that are `there` tell."""
    weights = Weights.from_json(event.get("weights"))
    if weights is None:
        return {}
    lines = [f"{_BEGINS} {weights.describe()}."]
    for split, key in (("Validation", "validation"), ("Test", "values")):
        said = event.get(key)
        if isinstance(said, dict) and said:
            lines.append(f"{split}, {weights.name}: {_listed(said)}.")
    found = {"hpcdl.weights": weights.describe()}
    if there.get(_NOTE, _BEGINS).startswith(_BEGINS):
        found[_NOTE] = "\n\n".join(lines)
    return _worth_saying(found)


def _listed(values: Mapping[str, Any]) -> str:
    found = {key.removeprefix("test/"): number(value) for key, value in values.items()}
    return ", ".join(f"{key} {value:.5g}" for key, value in found.items() if value is not None)


def state_tags(event: Mapping[str, Any]) -> dict[str, str]:
    """The run's own word for its state, which is finer than MLflow's, and the reason."""
    return _worth_saying(
        {"hpcdl.state": event.get("state"), "hpcdl.reason": event.get("reason") or ""}
    )


def number(said: Any) -> float | None:
    """The value of a metric, which may be written as "nan" or "inf"; None where it is no number."""
    try:
        return float(said)
    except (TypeError, ValueError, OverflowError):
        return None


def milliseconds(event: Mapping[str, Any]) -> int:
    """When it happened, as MLflow counts; 0 where the event does not say."""
    return round((number(event.get("t")) or 0) * 1000)


@functools.lru_cache
def name(said: str) -> str:
    """A name as MLflow takes it: one that it refuses would hold up everything after it.

    MLflow wants letters, digits and `_-. :/`, and that the name is a plain relative path.
    """
    parts = re.sub(r"[^/\w.\- :]", "_", said)[:_LONGEST_NAME].split("/")
    return "/".join(part for part in parts if part not in ("", ".", "..")) or "_"


def _worth_saying(said: Mapping[str, Any]) -> dict[str, str]:
    return {
        name(key): plain(str(value), _LONGEST_TAG)
        for key, value in said.items()
        if value is not None
    }


def plain(said: str, longest: int | None = None) -> str:
    """A text as every database takes it: UTF-8, without a zero."""
    return said.encode("utf-8", "replace").decode().replace("\0", "")[:longest]


def mapping(path: Path) -> dict[str, Any]:
    """What a JSON file says; nothing where it is damaged: metrics do not wait for notes."""
    try:
        found = read_json(path)
    except DamagedFile:
        return {}
    return found if isinstance(found, dict) else {}


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat(item, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value
