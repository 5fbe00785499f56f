"""Forecasts are measured in the units of the series, beside forecasts that need no network."""

import dataclasses

import pytest
import torch

from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.jobspec.sources.series import Series
from hpc_dl.tasks.forecast import Forecasting
from hpc_dl.zoo.layers.forecast import Forecast

NAMES = ("load", "price")
FACTS = DataFacts(
    "sequence",
    "forecast",
    {"sequence": Feature("float", (4, 2), NAMES)},
    {"future": Feature("float", (3, 2), NAMES)},
    *(8, 2, 2),
)


def batch():
    generator = torch.Generator().manual_seed(0)
    made = {"sequence": (5, 4, 2), "future": (5, 3, 2), "seasonal": (5, 3, 2)}
    return {name: torch.randn(shape, generator=generator) for name, shape in made.items()}


def test_the_loss_is_the_quantile_loss_in_deviations_of_the_series():
    given = batch()
    task = Forecasting(FACTS, None, {"future": given["future"] * torch.tensor([1.0, 100.0])})
    outputs = torch.zeros(5, 3, 2, 3)
    scaled = given["future"] / task.deviation
    expected = sum(
        torch.where(scaled > 0, share * scaled, (share - 1) * scaled).mean()
        for share in (0.1, 0.5, 0.9)
    )
    loss = task.loss(outputs, given)
    assert float(loss.total / loss.count) == pytest.approx(float(expected / 3), rel=1e-5)
    assert float(task.deviation[1]) > 20


def test_baselines_and_coverage_are_measured_of_the_same_windows():
    given, task = batch(), Forecasting(FACTS, None, {})
    band = torch.stack([given["future"] - 1, given["future"], given["future"] + 1], dim=-1)
    band[0] += 2
    found = {name: float(it.total / it.count) for name, it in task.measure(band, given).items()}
    assert found["coverage"] == pytest.approx(0.8)
    assert found["mae"] == pytest.approx(2 / 5)
    naive = (given["sequence"][:, -1:] - given["future"]).abs().mean()
    assert found["mae_naive"] == pytest.approx(float(naive))
    seasonal = (given["seasonal"] - given["future"]).abs().mean()
    assert found["mae_seasonal_naive"] == pytest.approx(float(seasonal))


def test_a_forecast_begins_with_the_naive_one_in_any_unit_and_no_quantile_crosses_another():
    class Nothing(torch.nn.Module):
        def forward(self, sequence):
            return torch.zeros(len(sequence), 3 * 2 * 3)

    network = Forecast(Nothing(), 2, 3)
    sequence = torch.randn(50, 4, 2) * torch.tensor([1.0, 1e3]) + 1e4
    network.fit([(sequence, torch.full([50], 4))])
    found = network(sequence)
    torch.testing.assert_close(found, sequence[:, -1:, :, None].expand(-1, 3, -1, 3))
    network.network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(8, 18))
    assert (network(sequence).diff(dim=-1) >= 0).all()


def test_forecasts_are_predicted_and_drawn_with_their_bands():
    given, task = batch(), Forecasting(FACTS, None, {})
    outputs = torch.randn(5, 3, 2, 3).sort(dim=-1).values
    assert torch.equal(task.predict(outputs)["forecast"], outputs[..., 1])
    drawn = task.pictures([(outputs, given)])["forecasts"]
    assert drawn.pixels().ndim == 3
    assert drawn.caption == "Forecasts, 3 of 5 windows"
    assert drawn.figure.axes[-1].get_xlabel() == "steps after the window"


def test_quantiles_are_those_of_the_data_and_the_outermost_are_the_band():
    future = dataclasses.replace(FACTS.targets["future"], quantiles=(0.05, 0.25, 0.5, 0.95))
    task = Forecasting(dataclasses.replace(FACTS, targets={"future": future}), None, {})
    assert task.outputs == 3 * 2 * 4
    given = batch()
    outputs = given["future"][..., None] + torch.tensor([-3.0, -2.0, 1.0, 2.0])
    found = task.measure(outputs, given)
    assert float(found["coverage"].total / found["coverage"].count) == 1
    assert float(found["mae"].total / found["mae"].count) == pytest.approx(1)
    assert float(task.loss(outputs, given).total) > 0
    assert torch.equal(task.predict(outputs)["forecast"], outputs[..., 2])
    assert task.pictures([(outputs, given)])["forecasts"].pixels().ndim == 3
    alone = dataclasses.replace(future, quantiles=(0.5,))
    task = Forecasting(dataclasses.replace(FACTS, targets={"future": alone}), None, {})
    assert "coverage" not in task.measure(outputs[..., :1], given)
    assert task.pictures([(outputs[..., :1], given)])


@pytest.mark.parametrize(
    ("quantiles", "said"),
    [([0.9, 0.5], "have to increase"), ([0.1, 0.9], "the median, 0.5, is missing")],
)
def test_quantiles_that_do_not_increase_or_lack_the_median_are_refused(quantiles, said):
    with pytest.raises(ValueError, match=said):
        Series(name="series", quantiles=quantiles)
