"""Real runs for tests: prepared, submitted as local jobs, killed, and compared bit by bit."""

import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.model import UserModel
from hpc_dl.jobspec.sources.user import UserData
from hpc_dl.planning.plan import Machine, Plan
from hpc_dl.planning.site import Site
from hpc_dl.run import journal, layout
from hpc_dl.run.initial_weights import InitialWeights
from hpc_dl.run.layout import RunDir, read_json
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.plan_job import plan_job
from hpc_dl.scheduler.submit import submit
from hpc_dl.submission.prepare import prepare
from hpc_dl.submission.snapshot import Snapshot
from tests.support import empty_store, reading
from tests.support.waiting import wait_until

QUICK = {
    "name": "quick",
    "model": {"name": "ffnn", "hidden": [32]},
    "data": {"name": "digits"},
    "train": {"epochs": 2, "log_every": 5},
    "resources": {"cpus_per_task": 1},
}
"""A job that trains in a second."""
_OF_TIME = ("per_second", "mfu_percentage", "waiting_percentage")


def new_run(
    root: Path,
    base: Path | None = None,
    *,
    checked: bool = False,
    gpus: int = 0,
    initial: InitialWeights | None = None,
    **sections: Any,
) -> RunDir:
    """Prepare a run folder under `root` of the quick job, with sections merged into it."""
    merged = dict(QUICK)
    for key, value in sections.items():
        merged[key] = {**QUICK.get(key, {}), **value} if isinstance(value, dict) else value
    if "model" in sections:
        merged["model"] = sections["model"]
    spec = JobSpec.model_validate(merged)
    return prepared(root, spec, base, checked=checked, gpus=gpus, initial=initial)


def prepared(
    root: Path,
    spec: JobSpec,
    base: Path | None = None,
    *,
    checked: bool = False,
    gpus: int = 0,
    initial: InitialWeights | None = None,
) -> RunDir:
    """Prepare a run folder under `root` for a spec whose user files are in `base`.

    The machine that it is planned for has four cores, and so many `gpus`.

    Unless it is to be `checked`, that code is copied without having been imported, which takes
    seconds.
    """
    data_root = Path(os.environ.get("HPCDL_DATA", root / "data")).resolve()
    run = layout.create(root, spec.name)
    plan = plan_job(
        registry.get("local"),
        spec,
        Site(name="test"),
        reading.describe(spec.data, data_root, base or Path()),
        run_dir=run.path,
        run_root=root,
        data_root=data_root,
        machine=Machine(cpus=4, gpus=gpus),
    )
    own = isinstance(spec.model, UserModel) or isinstance(spec.data, UserData)
    files = tuple(it.name for it in (base or root).glob("*.py")) if own else ()
    code = None if checked else Snapshot(base or root, files)
    prepare(run, spec, plan, base or root, code, initial=initial)
    return run


def start(run: RunDir) -> Submission:
    """Start a prepared run as a local job, or start it again."""
    empty_store.put(run.path.parent)
    return submit(run, Plan.from_json(read_json(run.plan)))


def train(run: RunDir, seconds: float = 120) -> RunDir:
    """Start a run and wait for its end; anything but completion is an error."""
    start(run)
    state, reason = wait_for_end(run, seconds)
    assert state == "completed", reason
    return run


def wait_for_end(run: RunDir, seconds: float = 120) -> tuple[str, str]:
    """Wait until the run has ended; return its last state and reason."""
    wait_until(
        lambda: journal.last_state(run.journal)[0] in journal.ENDED,
        timeout=seconds,
        message=f"{run.id} to end",
    )
    return journal.last_state(run.journal)


def kill_at(run: RunDir, step: int, seconds: float = 120) -> None:
    """Start a run, and kill -9 all of it once it has journalled a step at or after `step`."""
    submission = start(run)
    assert submission.group is not None
    wait_until(
        lambda: any(e.get("step", 0) >= step for e in events(run, "metrics", since_start=True)),
        timeout=seconds,
        interval=0.002,
        message=f"{run.id} to reach step {step}",
    )
    os.killpg(submission.group, signal.SIGKILL)
    wait_until(lambda: not group_is_alive(submission.group), message="the job to be gone")


def group_is_alive(group: int | None) -> bool:
    """Return whether any process of a group is left."""
    try:
        os.killpg(group or 0, 0)
    except ProcessLookupError:
        return False
    return True


def events(run: RunDir, kind: str, *, since_start: bool = False) -> list[dict[str, Any]]:
    """Return the events of a kind in the journal's view, or of the newest attempt alone."""
    if not since_start:
        return [event for event in journal.view(run.journal) if event["event"] == kind]
    found: list[dict[str, Any]] = []
    for entry in journal.read(run.journal):
        if entry.event["event"] == "started":
            found = []
        elif entry.event["event"] == kind:
            found.append(entry.event)
    return found


def history(run: RunDir) -> list[tuple[int, dict[str, float]]]:
    """Return all metrics by step, without those that are times."""
    return [
        (
            event["step"],
            {k: v for k, v in event["values"].items() if not k.endswith(_OF_TIME)},
        )
        for event in events(run, "metrics")
    ]


def exported_weights(run: RunDir, network: str = "model") -> dict[str, Any]:
    """The state dict of a network in the run's export."""
    from hpc_dl.zoo.trained import WEIGHTS, read_weights

    return read_weights(run.export / WEIGHTS)[network]


def final_state(run: RunDir) -> str:
    """Return the SHA-256 of the newest checkpoint: weights, optimizer state, running sums."""
    import torch

    newest = sorted(run.checkpoints.glob("step-*"))[-1]
    state = torch.load(newest / "state.pt", weights_only=True)
    del state["journal"]  # a position in the journal, which is longer for every attempt
    del state["identity"]  # what was asked for
    return digest_of(state)


def digest_of(state: Any) -> str:
    """Return the SHA-256 of all bits of a state."""
    import torch

    digest = hashlib.sha256()
    for name, value in _leaves(state):
        digest.update(name.encode())
        is_tensor = isinstance(value, torch.Tensor)
        digest.update(value.numpy().tobytes() if is_tensor else repr(value).encode())
    return digest.hexdigest()


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            yield from _leaves(value[key], f"{name}/{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _leaves(item, f"{name}/{number}")
    else:
        yield name, value
