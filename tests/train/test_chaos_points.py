"""A run that is killed anywhere and resumed ends with the same bits as an uninterrupted one.

Two kills each; `make chaos` does hundreds, to every architecture on one, two and four ranks.
"""

import pytest

from hpc_dl.run.layout import read_json, write_json
from tests import chaos
from tests.support import ranks
from tests.support.markers import nightly
from tests.support.running import events, final_state, history


@pytest.mark.parametrize("architecture, size", [("ffnn", 2), nightly("gan", 1), nightly("gnn", 1)])
def test_killed_at_random_points_it_ends_with_the_same_bits(tmp_path, architecture, size):
    outcome = chaos.compare_killed_runs(tmp_path, architecture, size, kills=2, seed=0)
    assert outcome.kills.total() == 2
    assert outcome.mismatches == []


@pytest.mark.parametrize("point", chaos.POINTS)
def test_the_function_of_each_chaos_point_exists(point):
    place, name = chaos.resolved(point)
    assert callable(getattr(place, name))


def test_a_killed_run_resumes_from_its_checkpoint(tmp_path):
    run = chaos.job(tmp_path, "killed", "ffnn", 1)
    ranks.kill_at(run, 12)
    ranks.train(run)
    assert [event["step"] > 0 for event in events(run, "started")] == [False, True]


@pytest.mark.parametrize("before, after", [(2, 4), nightly(4, 1)])
def test_a_run_resumes_on_another_world_size_with_the_same_samples(tmp_path, before, after):
    """Without randomness in the step the losses agree, so the order of the samples is the same."""

    undisturbed = ranks.train(chaos.job(tmp_path, "calm", "ffnn", before))
    moved = chaos.job(tmp_path, "moved", "ffnn", before)
    ranks.kill_at(moved, 20)
    other = read_json(chaos.job(tmp_path, "other", "ffnn", after).plan)
    write_json(moved.plan, {**other, "run_dir": str(moved.path)})
    ranks.train(moved)
    starts = events(moved, "started")
    assert [event["world_size"] for event in starts] == [before, after]
    assert starts[1]["step"] > 0
    for (step, ours), (_, theirs) in zip(history(moved), history(undisturbed), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4), step
    assert final_state(moved) != final_state(undisturbed), "sums of other parts round otherwise"
