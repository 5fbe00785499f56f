"""Windows of series, whose parts follow each other in time."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hpc_dl.jobspec.sources.series import Series
from tests.support import reading


def ramp(folder, steps=200):
    """Two series whose values are their steps, with a column of hours."""
    rows = [f"2024-01-{1 + n // 24:02}T{n % 24:02}:00,{n},{1000 + n}" for n in range(steps)]
    file = folder / "my.csv"
    file.write_text("hour,a,b\n" + "\n".join(rows) + "\n")
    return Series(
        name="series", path=str(file), time="hour", window=6, horizon=3, season=4, test=0.2
    )


def test_a_window_is_followed_by_its_future_and_its_last_season_is_repeated(tmp_path):
    splits = reading.load(ramp(tmp_path), Path())
    found = splits.test.batch(torch.tensor([0]))
    assert found["sequence"][0, :, 0].tolist() == [154, 155, 156, 157, 158, 159]
    assert found["future"][0].tolist() == [[160, 1160], [161, 1161], [162, 1162]]
    assert found["seasonal"][0, :, 0].tolist() == [156, 157, 158]
    assert splits.facts.targets["future"].vocabulary == ("a", "b")


def test_no_step_that_is_forecast_in_a_part_is_seen_in_a_part_before(tmp_path):
    splits = reading.load(ramp(tmp_path), Path())
    futures = [it.tensors["future"] for it in (splits.train, splits.validation, splits.test)]
    parts = [np.unique(it[..., 0]) for it in futures]
    assert [(it.min(), it.max()) for it in parts] == [(6, 139), (140, 159), (160, 199)]
    assert splits.train.tensors["sequence"][..., 0].max() < 140
    assert "seasonal" not in splits.train.tensors


def test_the_eeg_is_shipped_and_described_without_torch():
    facts = reading.describe(Series(name="series"), Path())
    assert (facts.train, facts.validation, facts.test) == (521, 73, 153)
    assert facts.shape == (32, 4)
    assert not facts.synthetic


@pytest.mark.parametrize("times", [1, 2])
def test_a_test_that_changes_more_than_the_training_is_noted(tmp_path, times):
    values = np.random.default_rng(3).normal(size=1000).round(3)
    values[800:] *= times
    (tmp_path / "my.csv").write_text("a\n" + "\n".join(map(str, values)) + "\n")
    notes = reading.describe(Series(name="series", path=str(tmp_path / "my.csv")), Path()).notes
    found = [it for it in notes if "times as much in the test as in the training" in it]
    assert bool(found) == (times == 2)


def test_quantiles_go_with_the_facts(tmp_path):
    series = ramp(tmp_path).model_copy(update={"quantiles": [0.25, 0.5, 0.75]})
    facts = reading.describe(series, Path())
    assert facts.targets["future"].quantiles == (0.25, 0.5, 0.75)
    assert facts == reading.describe(ramp(tmp_path), Path())  # they are options, not data
