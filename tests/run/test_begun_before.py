"""Runs that the previous version began, whose options had other names, go on and end alike.

`begun_before/` holds what it wrote: run folders that were killed at step 24, without logs and
artifacts.
"""

import shutil
from pathlib import Path

import pytest
import torch

from hpc_dl.cli import main
from hpc_dl.jobspec.load import load_resolved
from hpc_dl.run.layout import RunDir
from tests.support import empty_store, running
from tests.support.markers import nightly
from tests.support.typed import use_settings
from tests.weights import digest

FOLDER = Path(__file__).parent / "begun_before"
RUNS = sorted(path.name for path in FOLDER.iterdir())


def saved(run: RunDir, step: int) -> dict[str, object]:
    state = run.checkpoints / f"step-{step:08}" / "state.pt"
    engine: dict[str, object] = torch.load(state, weights_only=True)["engine"]
    return engine


@pytest.mark.parametrize("name", [RUNS[0], *map(nightly, RUNS[1:])])
def test_a_run_that_the_previous_version_began_ends_with_the_weights_of_a_whole_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_settings(monkeypatch, tmp_path)
    resumed = RunDir(Path(shutil.copytree(FOLDER / name, tmp_path / "runs" / name)))
    resumed.logs.mkdir()
    resumed.artifacts.mkdir()
    spec = load_resolved(resumed.spec)
    every = spec.checkpoint.model_copy(update={"keep": 20})
    whole = running.prepared(tmp_path / "whole", spec.model_copy(update={"checkpoint": every}))
    running.start(whole)
    empty_store.put(tmp_path / "runs")
    assert main(["resume", name, "--local", "checkpoint.keep=20"]) == 0
    assert running.wait_for_end(whole)[0] == "completed"

    last = spec.train.steps
    assert last is not None
    if digest(saved(whole, 24)) == digest(saved(resumed, 24)):
        assert digest(saved(resumed, last)) == digest(saved(whole, last))
    else:  # this machine's arithmetic is not that of the one where they were begun
        for part in ("networks", "averages"):
            torch.testing.assert_close(saved(resumed, last)[part], saved(whole, last)[part])
