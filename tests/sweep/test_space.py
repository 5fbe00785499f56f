"""Trials of a sweep: which configurations there are, and what becomes of the job spec of each."""

import copy

import pytest
import yaml

from hpc_dl.jobspec import overrides
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.spec_file import dump
from hpc_dl.jobspec.sweep import Sweep
from hpc_dl.jobspec.yaml_text import Document
from hpc_dl.sweep import space
from hpc_dl.sweep.trial import Trial

RATES = {"log_uniform": [1e-4, 1e-2]}


def values(**options):
    return [it.values for it in space.trials(Sweep(**options))]


def test_a_grid_is_the_product_in_the_order_of_the_keys_the_last_one_changing_fastest():
    assert values(parameters={"model.latent_dim": [8, 16], "train.clip_norm": [1.0, None]}) == [
        {"model.latent_dim": 8, "train.clip_norm": 1.0},
        {"model.latent_dim": 8, "train.clip_norm": None},
        {"model.latent_dim": 16, "train.clip_norm": 1.0},
        {"model.latent_dim": 16, "train.clip_norm": None},
    ]


def test_options_that_go_together_and_cases_are_one_more_axis_each():
    found = values(
        parameters={"model.name": ["vae"]},
        zip={"data.batch_size": [32, 64], "train.epochs": [1, 2]},
        cases=[{}, {"train.precision": "bf16", "train.clip_norm": [1.0, 2.0]}],
    )
    plain = {"model.name": "vae", "data.batch_size": 32, "train.epochs": 1}
    assert found[:3] == [
        plain,
        {**plain, "train.precision": "bf16", "train.clip_norm": 1.0},
        {**plain, "train.precision": "bf16", "train.clip_norm": 2.0},
    ]
    assert [it["data.batch_size"] for it in found] == [32] * 3 + [64] * 3


def test_a_list_of_trials_is_taken_as_it_stands():
    given = [{"model.hidden": [64, 32]}, {"train.seed": 3}]
    assert values(configurations=given) == given


def test_each_configuration_is_trained_with_all_seeds():
    found = space.trials(Sweep(parameters={"train.clip_norm": [1.0, 2.0]}, seeds=2))
    assert [(it.number, it.configuration, it.seed) for it in found] == [
        (1, 1, 0),
        (2, 1, 1),
        (3, 2, 0),
        (4, 2, 1),
    ]
    assert space.words(found[1]) == ["train.clip_norm=1.0", "train.seed=1"]
    assert [space.words(it) for it in space.trials(Sweep(seeds=2))] == [
        ["train.seed=0"],
        ["train.seed=1"],
    ]


def test_drawn_values_lie_within_their_limits_and_can_be_typed_again():
    found = values(
        parameters={
            "train.optimizer.lr": RATES,
            "train.clip_norm": {"uniform": [1, 2]},
            "model.latent_dim": {"int_uniform": [3, 5]},
        },
        method="random",
        trials=200,
    )
    rates = [it["train.optimizer.lr"] for it in found]
    assert all(1e-4 <= it <= 1e-2 for it in rates)
    assert 80 < sum(it < 1e-3 for it in rates) < 120  # half of the two powers of ten
    assert {len(f"{it:.12g}") <= len("0.000123456") for it in rates} == {True}
    assert all(1 <= it["train.clip_norm"] <= 2 for it in found)
    assert {it["model.latent_dim"] for it in found} == {3, 4, 5}


@pytest.mark.parametrize("rate", [RATES, [1e-4, 1e-3, 1e-2]], ids=["distribution", "list"])
def test_more_trials_leave_those_that_are_there_as_they_are(rate):
    def sweep(trials):
        parameters = {"train.optimizer.lr": rate, "model.latent_dim": [8, 16]}
        return Sweep(parameters=parameters, method="random", trials=trials, seed=3)

    whole = space.trials(sweep(6))
    assert whole == [*space.trials(sweep(2)), *space.trials(sweep(6), space.trials(sweep(2)))]
    assert len({space.as_json(it.values) for it in whole}) == 6
    assert space.trials(sweep(6), whole) == []


def test_a_grid_that_grew_has_the_new_configurations_after_the_old_ones():
    old = space.trials(Sweep(parameters={"train.clip_norm": [1.0, 3.0]}))
    new = space.trials(Sweep(parameters={"train.clip_norm": [1.0, 2.0, 3.0]}), old)
    assert new == [Trial(3, {"train.clip_norm": 2.0}, None, 3)]


def test_a_narrow_distribution_has_as_many_trials_as_are_asked_for():
    narrow = {"uniform": [1, 1.00001]}
    assert len(values(parameters={"train.clip_norm": narrow}, method="random", trials=20)) == 20


def test_draws_are_the_same_everywhere():
    found = values(parameters={"train.optimizer.lr": RATES}, method="random", trials=2, seed=1)
    assert found == [{"train.optimizer.lr": 0.00149076}, {"train.optimizer.lr": 0.0092596}]


def test_limits_have_each_choice_of_each_case_and_both_ends():
    sweep = Sweep(
        parameters={"train.optimizer.lr": RATES, "model.latent_dim": {"int_uniform": [1, 999]}},
        cases=[{"train.precision": ["fp32", "bf16", "fp16"]}, {"train.clip_norm": 1.0}],
        method="tpe",
        trials=5,
    )
    found = [it.values for it in space.limits(sweep)]
    assert len(found) == 6
    assert {it["train.optimizer.lr"] for it in found} == {1e-4, 1e-2}
    assert {it["model.latent_dim"] for it in found} == {1, 999}
    assert {it.get("train.precision") for it in found} == {"fp32", "bf16", "fp16", None}


@pytest.mark.parametrize(
    "value",
    [
        *("a", "a b", "true", "1e-3", "[x]", "", " x ", "\n"),
        'é \U0001f600 \x7f \u2028 \x85 " \\ \' #',
        *(1e-05, -0.0, 10**30, True, None),
        *([1e-05, "x", None, True, {"a": 1}], {"name": "sgd", "lr": 1e-22}),
    ],
)  # fmt: skip
def test_words_are_read_back_as_exactly_the_values(value):
    given, trial = {"model": {"name": "a.py:N"}}, Trial(1, {"model.x": value})
    typed = Document(copy.deepcopy(given))
    overrides.apply(typed, space.words(trial), JobSpec, is_resolved=True)
    for document in (typed, space.document_of(given, trial)):
        assert document.problems == []
        found = document.values["model"].get("x")
        assert (found, type(found)) == (value, type(value))


def test_another_name_brings_the_defaults_of_its_own_and_keeps_what_was_written():
    spec = JobSpec.model_validate(
        {
            "name": "run",
            "model": {"name": "ffnn", "dropout": 0.25},
            "data": {"name": "digits"},
            "train": {"epochs": 1},
        }
    )
    found = space.spec_of(spec, Trial(1, {"model.name": "cnn"})).model
    assert (found.name, found.hidden, found.dropout) == ("cnn", [128], 0.25)
    read = yaml.safe_load(dump(spec, only_given=True))  # as in the folder of a sweep
    assert (
        space.spec_of(JobSpec.model_validate(read), Trial(1, {"model.name": "cnn"})).model == found
    )
