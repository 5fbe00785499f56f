"""What MLflow is told of a run beside its metrics: parameters and tags, in words that it takes."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from hpc_dl.credentials import hidden
from hpc_dl.rundir import RunDir, read_json

RUN_TAG = "hpcdl.run_dir"
"""Tells which run folder an MLflow run stands for."""
_LONGEST_NAME, _LONGEST_PARAMETER, _LONGEST_TAG = 250, 6000, 5000


def parameters(run: RunDir) -> dict[str, str]:
    """The resolved spec, flat: `model.latent_dim` and so on."""
    spec = yaml.safe_load(run.spec.read_text())
    return {name(key): hidden(str(value))[:_LONGEST_PARAMETER] for key, value in _flat(spec)}


def experiment(run: RunDir) -> str:
    """The experiment that the spec names."""
    return str(yaml.safe_load(run.spec.read_text())["tracking"]["experiment"])


def files(run: RunDir) -> list[str]:
    """What is there before the run starts: spec, plan, script, provenance, the user's code."""
    single = [run.spec, run.plan, run.script, run.provenance, run.diff]
    found = [*single, *sorted(run.code.rglob("*"))]
    return [path.relative_to(run.path).as_posix() for path in found if path.is_file()]


def tags(run: RunDir) -> dict[str, str]:
    """Where the run is from: its folder, the code, the user, and the job."""
    origin, job = read_json(run.provenance) or {}, read_json(run.submission) or {}
    git: dict[str, Any] = next(iter((origin.get("git") or {}).values()), {})
    return _worth_saying(
        {
            RUN_TAG: run.path,
            "hpcdl.backend": job.get("backend"),
            "hpcdl.job_id": job.get("job_id"),
            "hpcdl.host": job.get("host"),
            "hpcdl.git_dirty": git.get("dirty"),
            "mlflow.user": origin.get("user"),
            "mlflow.source.name": " ".join(map(str, origin.get("command", ["hpcdl"]))),
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
    return _worth_saying(
        {
            "hpcdl.world_size": event.get("world_size"),
            "hpcdl.device": environment.get("gpu") or event.get("device"),
            "hpcdl.node": environment.get("host"),
            "hpcdl.attempt": event.get("attempt"),
            **{f"slurm.{key}": value for key, value in (slurm or {}).items()},
        }
    )


def state_tags(event: Mapping[str, Any]) -> dict[str, str]:
    """The run's own word for its state, which is finer than MLflow's, and the reason."""
    return _worth_saying({"hpcdl.state": event["state"], "hpcdl.reason": event.get("reason") or ""})


def number(said: Any) -> float | None:
    """The value of a metric, which may be written as "nan" or "inf"; None where it is no number."""
    try:
        return float(said)
    except (TypeError, ValueError):
        return None


def milliseconds(event: Mapping[str, Any]) -> int:
    """When it happened, as MLflow counts."""
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
        name(key): str(value)[:_LONGEST_TAG] for key, value in said.items() if value is not None
    }


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat(item, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value
