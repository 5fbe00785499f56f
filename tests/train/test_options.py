"""Options of `train` that change what a step does, each in a real run."""

import os
import shutil
import sys

import pytest
import torch

from hpc_dl.run.layout import read_json, write_json
from tests import chaos
from tests.support import ranks
from tests.support.own_models import own_models
from tests.support.ranks import train
from tests.support.running import (
    events,
    exported_weights,
    final_state,
    history,
    new_run,
    start,
    wait_for_end,
)


def losses(run, name="train/loss"):
    return [values[name] for _, values in history(run) if name in values]


def test_bf16_learns_as_well_as_fp32(tmp_path):
    full = train(new_run(tmp_path, train={"epochs": 4}))
    half = train(new_run(tmp_path, train={"epochs": 4, "precision": "bf16"}))
    assert losses(half) != losses(full)
    assert losses(half)[-1] == pytest.approx(losses(full)[-1], rel=0.02)
    weights = exported_weights(half)
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}


def test_sgd_with_a_schedule_and_a_clipped_gradient(tmp_path):
    options = {
        "epochs": 4,
        "optimizer": {"name": "sgd", "lr": 0.1, "nesterov": True},
        "schedule": {"name": "step", "every_epochs": 2, "factor": 0.1, "warmup_steps": 4},
        "clip_norm": 0.5,
    }
    run = train(new_run(tmp_path, train=options))
    rates = losses(run, "train/lr")
    assert rates[0] == pytest.approx(0.1)  # warmed up by the fifth step
    assert rates[-1] == pytest.approx(0.01)
    assert max(losses(run, "train/grad_norm")) > 0.5  # reported as it was, before clipping
    assert losses(run)[-1] < losses(run)[0]


def test_early_stopping_ends_a_run_that_does_not_improve(tmp_path):
    options = {
        "epochs": 40,
        "optimizer": {"name": "sgd", "lr": 1e-9},
        "early_stopping": {"patience": 2, "min_delta": 0.01},
    }
    run = train(new_run(tmp_path, train=options))
    evaluated = losses(run, "val/accuracy")
    assert len(evaluated) == 3  # the first is the best, and two have not improved on it
    ended = [event["reason"] for event in events(run, "state") if event["state"] == "completed"]
    assert ended == ["36 steps trained: no improvement for 2 epochs"]


def test_reports_come_every_log_every_steps_and_at_the_end_of_each_epoch(tmp_path):
    run = train(new_run(tmp_path, train={"epochs": 2, "log_every": 5}))
    reported = [step for step, values in history(run) if "train/loss" in values]
    assert reported == [5, 10, 12, 17, 22, 24]


def test_checkpoints_follow_their_schedule_and_the_best_is_kept(tmp_path):
    run = train(new_run(tmp_path, train={"epochs": 3}, checkpoint={"every": "5 steps", "keep": 2}))
    saved = [event["step"] for event in events(run, "saved")]
    assert {5, 10, 15, 20, 25, 30, 35, 36} <= set(saved)
    kept = sorted(path.name for path in run.checkpoints.iterdir())
    assert [name for name in kept if name.startswith("step")] == ["step-00000035", "step-00000036"]
    assert len([name for name in kept if name.startswith("best")]) == 1


def test_the_test_split_is_measured_with_the_best_weights_and_exported(tmp_path):
    from hpc_dl.predictor import load

    run = train(new_run(tmp_path, train={"epochs": 3}))
    best = next(run.checkpoints.glob("best-*"))
    state = torch.load(best / "state.pt", weights_only=True)["engine"]["networks"]["model"]
    exported = exported_weights(run)
    assert all(torch.equal(state[name], exported[name]) for name in state)
    predicted = load(run.export).predict(torch.rand(3, 1, 8, 8))
    assert predicted["probabilities"].shape == (3, 10)
    assert predicted["label"].tolist() == predicted["probabilities"].argmax(1).tolist()


def test_data_that_have_changed_since_the_submission_are_refused(tmp_path):
    run = new_run(tmp_path)
    plan = read_json(run.plan)
    plan["facts"]["train"] -= 1
    write_json(run.plan, plan)
    start(run)
    state, reason = wait_for_end(run)
    assert state == "failed"
    assert "the data have changed since the submission" in reason


def test_a_checkpoint_of_another_job_spec_is_refused_with_the_difference(tmp_path):
    run = train(new_run(tmp_path, checkpoint={"every": "5 steps"}))
    other = new_run(tmp_path, train={"seed": 1, "optimizer": {"name": "sgd", "lr": 0.5}})
    for path in run.checkpoints.iterdir():
        shutil.copytree(path, other.checkpoints / path.name)
    with ranks.ended(ranks.start(other)) as (process,):
        process.join(60)
        assert process.exitcode == 1
    said = next(other.logs.glob("*.log")).read_text()
    assert "belongs to another job spec: " in said
    assert "train.optimizer.name is adamw there and sgd here" in said
    assert "train.seed is 0 there and 1 here" in said
    assert "model" not in said.split("another job spec: ")[1].splitlines()[0]


def test_options_that_do_not_change_the_training_may_differ_at_a_resume(tmp_path):
    run = train(new_run(tmp_path, checkpoint={"every": "5 steps", "keep": 9}))
    other = new_run(tmp_path, train={"log_every": 3, "on_nonfinite": "skip"})
    shutil.copytree(run.checkpoints / "step-00000010", other.checkpoints / "step-00000010")
    assert events(train(other), "started")[0]["step"] == 10


def test_with_a_damaged_best_checkpoint_the_last_weights_are_exported(tmp_path):
    run = new_run(tmp_path)
    with ranks.ended(ranks.start(run, chaos.Kill("while the model is exported", 1))) as (process,):
        process.join(60)
    state = next(run.checkpoints.glob("best-*")) / "state.pt"
    whole = state.read_bytes()
    state.unlink()  # it shares its bytes with another
    state.write_bytes(whole[:-9])
    train(run)
    warning = events(run, "warning")[-1]
    assert "the best checkpoint, best-" in warning["message"]
    assert "is damaged: state.pt has" in warning["message"]
    assert (run.export / "weights.safetensors").is_file()


def tell_of_threads() -> None:
    """Have a rank say, when the training is over, how many threads it has."""
    from hpc_dl.train import main

    run = main.run

    def telling(*args):
        outcome = run(*args)
        sys.stdout.write(f"threads: {len(os.listdir('/proc/self/task'))}\n")  # noqa: PTH208
        sys.stdout.flush()
        return outcome

    main.run = telling


def test_no_thread_of_the_process_group_outlives_the_training(tmp_path):
    """At the interpreter's end it would abort the process, and so fail the job."""
    run = new_run(tmp_path, resources={"tasks_per_node": 2})
    with ranks.ended(ranks.start(run, tell_of_threads)) as processes:
        for process in processes:
            process.join(60)
    assert "threads: 1\n" in next(run.logs.glob("*-0.log")).read_text()


def test_ema_weights_are_tested_and_exported(tmp_path):
    """By hand: after n steps the average moves by 1 - min(decay, (1 + n) / (10 + n))."""
    run = train(
        new_run(tmp_path, train={"epochs": 1, "ema_decay": 0.3}, checkpoint={"every": "1 steps"})
    )
    kept = exported_weights(run)
    state = torch.load(run.checkpoints / "step-00000012" / "state.pt", weights_only=True)["engine"]
    before = torch.load(run.checkpoints / "step-00000011" / "state.pt", weights_only=True)["engine"]
    for name, weight in kept.items():
        last = state["networks"]["model"][name]
        assert torch.equal(weight, state["averages"]["model"][name])
        assert not torch.equal(weight, last)
        expected = torch.lerp(before["averages"]["model"][name], last, 0.7)
        torch.testing.assert_close(weight, expected)


def test_class_weights_are_balanced_or_as_given(tmp_path):
    """Digits are nearly balanced: so weights change the loss little, and lopsided ones much."""
    plain, balanced, lopsided = (
        losses(train(new_run(tmp_path, train={"epochs": 2, "class_weights": weights})))
        for weights in (None, "balanced", [1000.0] + 9 * [1.0])
    )
    assert balanced[0] != plain[0]
    assert balanced[0] == pytest.approx(plain[0], rel=0.02)
    assert lopsided[-1] < 0.9 * plain[-1], "it is the loss of one class, which is learned first"


def test_labels_are_smoothed(tmp_path):
    """A network that knows its labels by heart pays for the share that is spread."""
    options = {"epochs": 8, "optimizer": {"name": "adamw", "lr": 0.01}}
    sure = losses(train(new_run(tmp_path, train=options)))[-1]
    smooth = losses(train(new_run(tmp_path, train={**options, "label_smoothing": 0.2})))[-1]
    # The least that smoothing leaves: the entropy of 0.82 and nine times 0.02 is 0.87 nats.
    assert sure < 0.5
    assert smooth > 0.87


def test_a_learning_rate_is_found_drawn_and_reused(tmp_path):
    options = {"epochs": 3, "optimizer": {"name": "adamw", "lr": "auto"}, "log_every": 1}
    undisturbed = train(new_run(tmp_path, train=options))
    found = read_json(undisturbed.learning_rate)["learning_rate"]
    assert 1e-4 < found < 1e-1
    assert set(losses(undisturbed, "train/lr")) == {found}
    curve = "artifacts/learning_rate/step-00000000.png"
    assert curve in [event["path"] for event in events(undisturbed, "artifact")]
    assert (undisturbed.path / curve).exists()
    killed = new_run(tmp_path, train=options)
    ranks.kill_at(killed, 15)
    killed.learning_rate.write_bytes(b"")  # it is found once more, and the same
    train(killed)
    assert read_json(killed.learning_rate) == read_json(undisturbed.learning_rate)
    assert curve in [event["path"] for event in events(killed, "artifact")]
    assert final_state(killed) == final_state(undisturbed)


def test_two_ranks_find_one_learning_rate(tmp_path):
    options = {"epochs": 1, "optimizer": {"name": "adamw", "lr": "auto"}}
    one, two = (
        read_json(train(new_run(tmp_path, train=options, resources=on)).learning_rate)
        for on in ({"tasks_per_node": 1}, {"tasks_per_node": 2})
    )
    assert one["learning_rate"] == pytest.approx(two["learning_rate"])


def test_denormal_numbers_which_slow_down_a_processor_count_as_zero(tmp_path):
    code = own_models(tmp_path / "code")
    train(new_run(tmp_path, code, model={"name": "own.py:Flushed"}, train={"epochs": 1}))
