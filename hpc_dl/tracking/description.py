"""What MLflow is told of a run beside its metrics: parameters and tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from hpc_dl.rundir import RunDir, read_json

RUN_TAG = "hpcdl.run_dir"
"""Tells which run folder an MLflow run stands for."""
_LONGEST_PARAMETER = 6000
_LONGEST_TAG = 5000


def parameters(run: RunDir) -> dict[str, str]:
    """The resolved spec, flat: `model.latent_dim` and so on."""
    spec = yaml.safe_load(run.spec.read_text())
    return {key: str(value)[:_LONGEST_PARAMETER] for key, value in _flat(spec)}


def experiment(run: RunDir) -> str:
    """The experiment that the spec names."""
    return str(yaml.safe_load(run.spec.read_text())["tracking"]["experiment"])


def tags(run: RunDir) -> dict[str, str]:
    """Where the run is from: its folder, the code, the user, and the job."""
    origin, job = read_json(run.provenance) or {}, read_json(run.submission) or {}
    git: dict[str, Any] = next(iter((origin.get("git") or {}).values()), {})
    said = {
        RUN_TAG: str(run.path),
        "hpcdl.backend": job.get("backend"),
        "hpcdl.job_id": job.get("job_id"),
        "hpcdl.host": job.get("host"),
        "hpcdl.git_dirty": git.get("dirty"),
        "mlflow.user": origin.get("user"),
        "mlflow.source.name": " ".join(map(str, origin.get("command", ["hpcdl"]))),
        "mlflow.source.type": "JOB",
        "mlflow.source.git.commit": git.get("commit"),
    }
    return {key: str(value)[:_LONGEST_TAG] for key, value in said.items() if value is not None}


def started_tags(event: Mapping[str, Any]) -> dict[str, str]:
    """What a `started` event says about the machine."""
    environment = event.get("environment", {})
    said = {
        "hpcdl.world_size": event.get("world_size"),
        "hpcdl.device": environment.get("gpu") or event.get("device"),
        "hpcdl.node": environment.get("host"),
        "hpcdl.attempt": event.get("attempt"),
        **{f"slurm.{key}": value for key, value in environment.get("slurm", {}).items()},
    }
    return {key: str(value) for key, value in said.items() if value is not None}


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat(item, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value
