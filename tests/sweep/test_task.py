"""What a task finds of a trial whose former job is dead."""

from pathlib import Path

import pytest

from hpc_dl.cli.sweeps import task
from hpc_dl.run.layout import RunDir
from hpc_dl.sweep.trial import Result, State


@pytest.mark.parametrize(
    ("state", "asked", "final"),
    [
        ("completed", False, True),
        ("paused", False, True),
        ("pruned", False, True),
        ("failed", False, False),
        ("cancelled", False, False),
        ("cancelled", True, True),
    ],
)
def test_a_trial_goes_on_unless_it_has_ended_or_its_user_wanted_its_end(
    tmp_path: Path, state: State, asked: bool, final: bool
) -> None:
    """A task that is cancelled with scancel leaves a run that Slurm calls cancelled."""
    run = RunDir(tmp_path)
    if asked:
        run.cancel.touch()
    assert task._is_final(Result(1, 0, state), run) is final
