"""A training that pauses as planned goes on later with the bits that it would have had."""

from pathlib import Path

import pytest

from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir, read_json, write_json
from tests.support import ranks
from tests.support.markers import nightly
from tests.support.running import events, final_state, history, new_run

STEPS = 12
"""Of an epoch."""


def job(root: Path, size: int) -> RunDir:
    """Three epochs with dropout, whose checkpoints no schedule and no `keep` would leave."""
    return new_run(
        root,
        model={"name": "ffnn", "hidden": [32], "dropout": 0.2},
        train={"epochs": 3, "ema_decay": 0.9, "early_stopping": {"patience": 3}},
        checkpoint={"every": "1000 steps", "keep": 1},
        resources={"tasks_per_node": size},
    )


def train_up_to(run: RunDir, step: int, size: int) -> tuple[str, str]:
    """Train with the worker, whose exit code says that nothing failed; return state and reason."""
    write_json(run.plan, {**read_json(run.plan), "pause_at": step})
    with ranks.ended(ranks.start_job(run, size=size)) as processes:
        for process in processes:
            process.join(120)
        log = "".join(it.read_text() for it in run.logs.glob("*.log"))
        assert [process.exitcode for process in processes] == [0] * size, log
    return journal.last_state(run.journal)


@pytest.mark.parametrize("size", [1, nightly(2)])
def test_a_paused_training_goes_on_with_the_same_bits(tmp_path, size):
    run = job(tmp_path, size)
    run.pause.write_text("worse than others")
    asked = ("paused", "worse than others; saved at step 1 of 36")
    assert train_up_to(run, STEPS, size) == asked
    run.pause.unlink()
    said = "as planned, after epoch 1 of 3; saved at step 12 of 36"
    assert train_up_to(run, STEPS, size) == ("paused", said)
    assert train_up_to(run, STEPS, size) == ("paused", said), "its job was requeued"
    assert [it["step"] for it in events(run, "metrics") if "val/loss" in it["values"]] == [STEPS]
    assert not run.export.exists()
    assert train_up_to(run, 3 * STEPS, size)[0] == "completed", "there is nothing to go on with"

    undisturbed = ranks.train(job(tmp_path, size))
    assert final_state(run) == final_state(undisturbed)
    assert history(run) == history(undisturbed)
