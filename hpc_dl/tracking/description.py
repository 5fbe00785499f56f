"""A run's parameters and tags as MLflow accepts them: names, lengths, characters."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.jobspec.credentials import hidden
from hpc_dl.jobspec.flat import flatten
from hpc_dl.run import records
from hpc_dl.run.layout import DamagedFile, RunDir, read_json
from hpc_dl.run.weights import Weights

if TYPE_CHECKING:
    from mlflow.entities import Metric

RUN_TAG = "hpcdl.run_dir"
"""The tag with the run folder of an MLflow run."""
HYPERPARAMETERS = ("model", "data", "train")
"""Sections of a spec with all that the weights depend on."""
STATE_TAG = "hpcdl.state"
_LONGEST_NAME, _LONGEST_PARAMETER, _LONGEST_TAG = 250, 6000, 5000


def parameters(run: RunDir) -> dict[str, str]:
    """Return the resolved job spec, flat: `model.latent_dim` and so on."""
    return {
        clean_name(key): clean_text(hidden(str(value)), _LONGEST_PARAMETER)
        for key, value in flatten(_spec(run))
    }


def hyperparameters(run: RunDir) -> dict[str, Any]:
    """Return the options of the network, the data and the training, by the names that they have
    among the parameters in MLflow. Raises UserError where the spec is damaged."""
    spec = _spec(run)
    return dict(flatten({section: spec.get(section) for section in HYPERPARAMETERS}))


def experiment(run: RunDir) -> str:
    """Return the experiment that the job spec names. Raises UserError where the spec is damaged."""
    return str(_spec(run)["tracking"]["experiment"])


def section(run: RunDir, name: str) -> dict[str, Any]:
    """Return a section of the job spec. Raises UserError where the spec is damaged."""
    found = _spec(run).get(name)
    return found if isinstance(found, dict) else {}


def facts(run: RunDir) -> dict[str, Any]:
    """Return the plan's facts of the data; an empty mapping where there are none."""
    found = read_mapping(run.plan).get("facts")
    return found if isinstance(found, dict) else {}


def _spec(run: RunDir) -> dict[str, Any]:
    spec: dict[str, Any] = records.spec_values(run)
    try:
        spec["tracking"]["experiment"]  # a KeyError here, not after half of it was sent
    except (KeyError, TypeError) as error:
        raise DamagedFile(run.spec, f"is damaged: {type(error).__name__}: {error}") from None
    return spec


def initial_files(run: RunDir) -> list[str]:
    """Return the files that exist before the run starts: spec, plan, script, the user's code."""
    single = [run.spec, run.plan, run.script, run.provenance, run.fingerprint, run.diff]
    found = [*single, *sorted(run.code.rglob("*"))]
    names = [path.relative_to(run.path).as_posix() for path in found if path.is_file()]
    return [name for name in names if name == clean_text(name)]  # JSON has no others


def run_tags(run: RunDir) -> dict[str, str]:
    """Return tags for where the run is from: its folder, the code, the user, and the job."""
    origin, job = read_mapping(run.provenance), read_mapping(run.submission)
    repositories = origin.get("git")
    found = list(repositories.values()) if isinstance(repositories, dict) else []
    git: dict[str, Any] = found[0] if found and isinstance(found[0], dict) else {}
    command = origin.get("command")
    return _as_tags(
        {
            RUN_TAG: run.path,
            "hpcdl.backend": job.get("backend"),
            "hpcdl.job_id": job.get("job_id"),
            "hpcdl.host": job.get("host"),
            "hpcdl.synthetic": _is_synthetic(run),
            "hpcdl.git_dirty": git.get("dirty"),
            "mlflow.user": origin.get("user"),
            "mlflow.source.name": " ".join(
                map(str, command if isinstance(command, list) else ["hpcdl"])
            ),
            "mlflow.source.type": "JOB",
            "mlflow.source.git.commit": git.get("commit"),
            "mlflow.source.git.branch": git.get("branch"),
        }
    )


def _is_synthetic(run: RunDir) -> bool | None:
    """Return True where a generator has made the data; None of measured ones, which have no tag."""
    return True if facts(run).get("synthetic") is True else None


def environment(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a worker found on its node, from a `started` event."""
    found = event.get("environment")
    return found if isinstance(found, dict) else {}


def started_tags(event: Mapping[str, Any], environment: Mapping[str, Any]) -> dict[str, str]:
    """Return tags for the machine, from a `started` event."""
    slurm = environment.get("slurm")
    job = slurm if isinstance(slurm, dict) else {}
    return _as_tags(
        {
            "hpcdl.world_size": event.get("world_size"),
            "hpcdl.device": environment.get("gpu") or event.get("device"),
            "hpcdl.node": environment.get("host"),
            "hpcdl.attempt": event.get("attempt"),
            "hpcdl.version": environment.get("hpcdl"),
            **{f"slurm.{key}": value for key, value in job.items()},
        }
    )


def summary_tags(event: Mapping[str, Any]) -> dict[str, str]:
    """Return a tag for the tested and exported weights, from a `summary` event."""
    weights = Weights.from_json(event.get("weights"))
    return _as_tags({"hpcdl.weights": weights.describe() if weights else None})


def report_tags(event: Mapping[str, Any]) -> dict[str, str]:
    """Return the advice of a `report` event as a tag."""
    return _as_tags({"hpcdl.advice": "\n".join(event.get("advice") or []) or None})


def state_tags(event: Mapping[str, Any]) -> dict[str, str]:
    """Return tags for the run's state, which is finer than MLflow's status, and the reason."""
    return _as_tags({STATE_TAG: event.get("state"), "hpcdl.reason": event.get("reason") or ""})


def metric_name(name: str) -> str:
    """Return the name of a metric in MLflow: `test_accuracy` of `test/accuracy`.

    MLflow's charts have a section for each prefix `PREFIX/`, in the order of the alphabet, and a
    last one for names without: so the curves of `train/` and `val/` come before single values.
    """
    return clean_name(name.replace("/", "_", 1) if _is_single(name) else name)


def metric(name: str, value: float, milliseconds: int, step: int) -> Metric:
    """Return a point of a metric for MLflow, which draws single values at step 0 as bars."""
    from mlflow.entities import Metric

    at = 0 if _is_single(name) else step
    return Metric(metric_name(name), value, milliseconds, at)


def _is_single(name: str) -> bool:
    """Return whether a run has one value of a metric: of the test, and of what the run has used."""
    return name.startswith(("test/", "usage/"))


def parse_number(value: Any) -> float | None:
    """Return a metric's value, which may be written as "nan" or "inf"; None if it is no number."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def timestamp_ms(event: Mapping[str, Any]) -> int:
    """Return an event's time in milliseconds since 1970; 0 where it has none."""
    return round((parse_number(event.get("t")) or 0) * 1000)


@functools.lru_cache
def clean_name(name: str) -> str:
    """Return a name of a metric, parameter or tag with only characters that MLflow accepts.

    These are letters, digits and `_-. :/`, in the form of a relative path without `.` and `..`.
    """
    parts = re.sub(r"[^/\w.\- :]", "_", name)[:_LONGEST_NAME].split("/")
    return "/".join(part for part in parts if part not in ("", ".", "..")) or "_"


def _as_tags(values: Mapping[str, Any]) -> dict[str, str]:
    return {
        clean_name(key): clean_text(str(value), _LONGEST_TAG)
        for key, value in values.items()
        if value is not None
    }


def clean_text(text: str, longest: int | None = None) -> str:
    """Return a text as every database accepts it: UTF-8 without NUL, cut to `longest`."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")[:longest]


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping in a JSON file; an empty one where it is damaged or something else."""
    try:
        found = read_json(path)
    except DamagedFile:
        return {}
    return found if isinstance(found, dict) else {}
