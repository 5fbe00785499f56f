"""`checkpoint.monitor`: the metric of validation by which the best checkpoint is chosen."""

import math
import re
from pathlib import Path

import pytest
import torch
import yaml

from hpc_dl.cli import main
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.metrics import GOALS
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.train.early_stopping import EarlyStopping
from hpc_dl.zoo import build
from hpc_dl.zoo.contract import MonitoredMetric
from tests.support.running import prepared

ACCURACY = MonitoredMetric("accuracy", "max")
IMAGES = DataFacts.of("image", "classify", (1, 8, 8), tuple("abcdefg"), 90, 5, 5)
NUMBERS = DataFacts.of("table", "regress", (3,), (), 90, 5, 5, targets=("price", "size"))


def best_of(pairs, *, default=ACCURACY, monitor=None):
    """The step of the best of evaluations, which are of (accuracy, loss), step by step."""
    stopping = EarlyStopping(default, None, monitor)
    for step, (accuracy, loss) in enumerate(pairs, start=1):
        stopping.update(step, {"accuracy": accuracy, "loss": loss})
    return stopping.best and stopping.best.step


@pytest.mark.parametrize(
    ("evaluations", "step"),
    [
        ([(0.9, 0.5), (0.9, 0.1), (0.9, 0.3)], 2),
        ([(0.9, 0.5), (0.9, 0.5), (0.8, 0.1)], 2),
        ([(0.9, 0.5), (0.9, math.nan)], 1),
        ([(0.9, math.nan), (0.9, 0.5)], 2),
        ([(math.nan, 0.1), (0.2, 0.5), (math.nan, 0.1)], 2),
        ([(math.nan, 0.1)], None),
        ([(math.inf, 0.1), (0.2, 0.5)], 2),
    ],
)
def test_of_equal_values_the_lowest_loss_wins_and_then_the_latest(evaluations, step):
    assert best_of(evaluations) == step


def test_the_monitored_metric_is_compared_in_its_own_direction():
    evaluations = [(0.9, 0.5), (0.8, 0.1), (0.7, 0.2)]
    assert best_of(evaluations) == 1
    assert best_of(evaluations, monitor="loss") == 2
    assert best_of(evaluations, default=MonitoredMetric("loss", "min"), monitor="accuracy") == 1
    assert best_of(evaluations, default=None) is None


def test_a_resumed_run_breaks_ties_as_an_undisturbed_one():
    before = EarlyStopping(ACCURACY, None)
    before.update(10, {"accuracy": 0.9, "loss": 0.2})
    after = EarlyStopping(ACCURACY, None)
    after.load(before.state())
    assert not after.update(20, {"accuracy": 0.9, "loss": 0.3})
    assert after.update(30, {"accuracy": 0.9, "loss": 0.2})
    assert (after.best.step, after.newest.step) == (30, 30)


def test_the_state_of_an_old_checkpoint_is_loaded():
    stopping = EarlyStopping(ACCURACY, None)
    stopping.load({"best": 0.9, "idle_epochs": 3})
    assert (stopping.reference, stopping.idle_epochs) == (0.9, 3)
    assert not stopping.update(40, {"accuracy": 0.8, "loss": 0.1})
    assert stopping.update(50, {"accuracy": 0.9, "loss": 0.1})
    stopping.load({"best": None, "idle_epochs": 0})
    assert stopping.update(10, {"accuracy": 0.1, "loss": 2.0})


def test_a_monitored_metric_that_a_user_network_lacks_is_reported_at_its_first_evaluation():
    with pytest.raises(UserError, match="no metric 'acuracy'") as caught:
        EarlyStopping(ACCURACY, None, "acuracy").update(1, {"accuracy": 0.9, "loss": 0.5})
    assert caught.value.hint == "It has: accuracy, loss."
    with pytest.raises(UserError, match=r"monitored, of the network: .* no metric 'acuracy'"):
        EarlyStopping(MonitoredMetric("acuracy", "max"), None).update(
            1, {"accuracy": 0.9, "loss": 0.5}
        )
    with pytest.raises(UserError, match="a low or a high 'score' is better is not known"):
        EarlyStopping(ACCURACY, None, "score").update(1, {"score": 0.9, "loss": 0.5})
    own = EarlyStopping(MonitoredMetric("score", "min"), None, "score")
    assert own.update(1, {"score": 0.9, "loss": 0.5})
    assert own.update(2, {"score": 0.8, "loss": 0.5})


def job(monitor=None, model="ffnn", **train):
    checkpoint = {"monitor": monitor} if monitor else {}
    sections = {"model": {"name": model}, "data": {"name": "digits"}, "checkpoint": checkpoint}
    return JobSpec.model_validate({"name": "m", "train": {"epochs": 1, **train}, **sections})


@pytest.mark.parametrize(
    ("model", "monitor", "allowed"),
    [
        ("ffnn", "f1", "Allowed: accuracy, loss, f1_macro, auroc_macro, top5"),
        ("autoencoder", "psnr_gain", "Allowed: loss, psnr"),
        ("vae", "kl", "Allowed: loss, elbo, reconstruction, bits_per_dimension"),
        ("gan", "loss", "Leave it out: the last are exported."),
    ],
)
def test_an_unknown_metric_is_refused_at_submission(tmp_path, model, monitor, allowed):
    with pytest.raises(SpecConflict, match=f"{model} has no metric '{monitor}'") as caught:
        prepared(tmp_path, job(monitor, model))
    assert (caught.value.key, caught.value.hint) == ("checkpoint.monitor", allowed)


def test_the_error_of_an_unknown_metric_has_line_and_column(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HPCDL_SITE", "generic")
    file = tmp_path / "job.yaml"
    text = yaml.safe_dump(job("f1_makro").model_dump(mode="json", exclude_unset=True))
    file.write_text(text)
    assert main(["submit", str(file), "--local", "--dry-run=plan"]) == 2
    said = capsys.readouterr().err
    line = 1 + next(n for n, text in enumerate(text.splitlines()) if "monitor:" in text)
    assert re.search(rf"job\.yaml:{line}:12: .*did you mean 'f1_macro'\?", said)


def test_early_stopping_that_would_never_stop_is_refused(tmp_path):
    stopping = {"early_stopping": {"patience": 2}}
    for model in ("gan", "diffusion"):
        with pytest.raises(SpecConflict, match="it would never stop") as caught:
            prepared(tmp_path, job(model=model, **stopping))
        assert caught.value.key == "train.early_stopping"
    assert prepared(tmp_path, job("loss", "diffusion", **stopping))
    asked = job(**stopping)
    data = asked.data.model_copy(update={"validation": 1e-4})
    with pytest.raises(SpecConflict, match="no validation examples: it never stops") as caught:
        prepared(tmp_path, asked.model_copy(update={"data": data}))
    assert caught.value.key == "train.early_stopping"


def test_checkpoint_monitor_is_part_of_the_training_only_if_given():
    assert job("loss").training() != job().training()
    assert "checkpoint" not in job().training()


@pytest.mark.parametrize(
    ("options", "facts"),
    [
        ({"name": "ffnn"}, IMAGES),
        ({"name": "ffnn"}, NUMBERS),
        ({"name": "cnn"}, IMAGES),
        ({"name": "autoencoder", "use": "denoise"}, IMAGES),
        ({"name": "vae"}, IMAGES),
        ({"name": "diffusion", "width": 8}, IMAGES),
    ],
    ids=lambda it: it["name"] if isinstance(it, dict) else it.task,
)
def test_every_metric_that_may_be_monitored_is_measured_and_has_a_direction(options, facts):
    spec = JobSpec.model_validate(
        {"name": "m", "model": options, "data": {"name": "digits"}, "train": {"epochs": 1}}
    )
    architecture = build(spec.model, facts, Path())
    batch = {
        facts.modality: torch.rand(6, *facts.shape),
        "label": torch.arange(6),
        "target": torch.rand(6, 2),
        "index": torch.arange(6),
    }
    nets = {name: net.eval() for name, net in architecture.networks().items()}
    with torch.no_grad():
        measured = architecture.measure(nets, batch)
    names = spec.model.monitors(facts)
    assert set(names) <= set(measured) & set(GOALS)
    default = architecture.monitored
    assert default is None or (default.metric, default.goal) == (names[0], GOALS[names[0]])
