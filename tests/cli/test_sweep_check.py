"""Sweeps that are refused before anything is submitted, with the place of each value at fault."""

import re
import textwrap
import time

import pytest

from hpc_dl.cli import job_request
from hpc_dl.cli.sweeps.check import checked_trials
from hpc_dl.errors import UserError
from hpc_dl.jobspec.load import load
from hpc_dl.scheduler import registry

JOB = """\
name: run
model: {name: vae, latent_dim: 4}
data: {name: digits}
train: {steps: 8}
sweep:
"""


def trials(folder, sweep, *overrides, job=JOB, scheduler="slurm"):
    path = folder / "job.yaml"
    path.write_text(job + textwrap.indent(textwrap.dedent(sweep), "  "))
    request = job_request.read(path, overrides, None)
    return checked_trials(request, registry.get(scheduler))


CASES = {
    "value that an option cannot have": (
        "parameters:\n  train.optimizer.lr: [1e-3, -1]\n  model.beta: [1.0, 2.0]\n",
        [(7, 32, "train.optimizer.lr has to be above 0, not -1 (trial 3: train.optimizer.lr -1, "
          "model.beta 1.0; and 1 more)")],
    ),
    "type of a value": (
        "parameters:\n  model.latent_dim: [8, x]\n",
        [(7, 27, "model.latent_dim has to be a whole number, not 'x' (trial 2")],
    ),
    "unknown option": (
        "parameters:\n  model.laten_dim: [8, 9]\n",
        [(7, 5, "there is no 'model.laten_dim'; did you mean 'model.latent_dim'? (trial 1")],
    ),
    "unknown option of the optimizer in a case": (
        "cases:\n  - {train.optimizer.name: adam, train.optimizer.momentum: 0.9}\n  - {}\n",
        [(7, 36, "unknown key 'momentum' in train.optimizer")],
    ),
    "unknown network": (
        "parameters:\n  model.name: [vae, gna]\n",
        [(7, 23, "there is no model 'gna'; did you mean 'gnn'?")],
    ),
    "network for other data": (
        "parameters:\n  model.name: [vae, gnn]\n",
        [(7, 23, "gnn takes")],
    ),
    "option within a value": (
        "parameters:\n  train.optimizer: [{name: sgd, momentun: 0.9}]\n",
        [(7, 35, "unknown key 'momentun' in train.optimizer; did you mean 'momentum'?")],
    ),
    "drawn value": (
        "parameters:\n  train.label_smoothing: {uniform: [2, 3]}\nmethod: random\ntrials: 3\n",
        [(7, 28, "train.label_smoothing has to be below 1, not 2.")],
    ),
    "limit of values that are chosen later": (
        "parameters:\n  train.ema_decay: {uniform: [0.1, 1]}\nmethod: tpe\ntrials: 3\n",
        [(7, 22, "train.ema_decay has to be below 1, not 1")],
    ),
    "one of several values that go together": (
        "zip:\n  model.latent_dim: [1, 2, 3]\n  train.steps: [5, 0, 4]\n",
        [(8, 22, "train.steps has to be above 0, not 0 (trial 2")],
    ),
    "value of a trial in a list": (
        "configurations:\n  - {model.latent_dim: 3}\n  - {model.latent_dim: 0}\n",
        [(8, 26, "model.latent_dim has to be above 0, not 0 (trial 2")],
    ),
    "file that is not there": (
        "parameters:\n  data.name: [digits, nowhere]\n",
        [(7, 25, "there is no data 'nowhere'")],
    ),
    "options that do not go together": (
        "parameters:\n  train.strategy: [ddp, fsdp]\n  train.ema_decay: [null, 0.9]\n",
        [(8, 29, "weights that fsdp divides are not averaged (trial 4")],
    ),
    "metric of some trials alone": (
        "parameters:\n  model.name: [vae, autoencoder]\nmetric: val/elbo\n",
        [(8, 11, "there is no val/elbo")],
    ),
    "metric that there is not": ("seeds: 2\nmetric: val/los\n", [(7, 11, "there is no val/los")]),
}  # fmt: skip


@pytest.mark.parametrize("sweep, expected", CASES.values(), ids=CASES.keys())
def test_a_sweep_is_refused_with_the_places_of_values_that_some_trial_cannot_have(
    tmp_path, sweep, expected
):
    with pytest.raises(UserError) as caught:
        trials(tmp_path, sweep)
    said = caught.value.message
    places = re.findall(rf"^{tmp_path}/job.yaml:(\d+):(\d+): (.*)$", said, re.MULTILINE)
    assert len(places) == len(expected), said
    for (line, column, message), (at_line, at_column, fragment) in zip(
        places, expected, strict=True
    ):
        assert (int(line), int(column)) == (at_line, at_column), said
        assert fragment in message, said


def test_trials_that_share_a_job_have_one_rank(tmp_path):
    shared = "seeds: 2\ntrials_per_gpu: 2\n"
    assert len(trials(tmp_path, shared)) == 2
    with pytest.raises(UserError, match=r"sweep\.trials_per_gpu: trainings that share a job"):
        trials(tmp_path, shared, "resources.gpus_per_node=2")


def test_paths_are_made_absolute_and_data_described_for_each_file(tmp_path, monkeypatch):
    for name, rows in (("a", 40), ("b", 0)):
        lines = ["x,y", *(f"{n},{'uv'[n % 2]}" for n in range(rows))]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
    job = JOB.replace("vae, latent_dim: 4", "ffnn").replace(
        "{name: digits}", "{name: csv, path: a.csv, target: y}"
    )
    sweep = "parameters:\n  data.path: [{}]\n"
    (trial,) = trials(tmp_path, sweep.format("a.csv"), job=job)
    assert trial.values == {"data.path": str(tmp_path / "a.csv")}
    with pytest.raises(UserError, match=r"job.yaml:7:24: .*b.csv.*\(trial 2: data.path"):
        trials(tmp_path, sweep.format("a.csv, b.csv"), job=job)


def test_a_trial_is_checked_in_a_millisecond(tmp_path):
    sweep = """\
        parameters:
          train.optimizer.lr: {log_uniform: [1e-4, 1e-2]}
          model.latent_dim: {int_uniform: [4, 64]}
        method: random
        trials: 200
    """
    begun = time.process_time()
    assert len(trials(tmp_path, sweep)) == 200
    assert time.process_time() - begun < 0.5


def test_a_spec_without_a_sweep_is_told_what_to_write(tmp_path):
    job = JOB.removesuffix("sweep:\n")
    with pytest.raises(UserError, match="has no section `sweep`") as caught:
        trials(tmp_path, "", job=job)
    (tmp_path / "job.yaml").write_text(job)
    written = caught.value.hint.split(":\n", 1)[1].rpartition("\nor")[0]
    assert len(trials(tmp_path, "", job=job + textwrap.dedent(written))) == 2


def test_an_option_of_what_nothing_is_written_of_is_that_of_the_default(tmp_path):
    (tmp_path / "job.yaml").write_text(JOB.removesuffix("sweep:\n"))
    spec = load(tmp_path / "job.yaml", ["train.optimizer.lr=0.5"])
    assert (spec.train.optimizer.name, spec.train.optimizer.lr) == ("adamw", 0.5)


NETWORK = """\
import torch

class Net(torch.nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(64, width), torch.nn.Linear(width, 10)
        )

    def forward(self, images):
        return self.layers(images)
"""


@pytest.mark.nightly  # it imports torch for each of them
def test_a_network_of_ones_own_is_tried_with_every_value(tmp_path):
    for name in ("net", "other"):
        (tmp_path / f"{name}.py").write_text(NETWORK)
    job = JOB.replace("{name: vae, latent_dim: 4}", "{name: 'net.py:Net'}")
    assert len(trials(tmp_path, "parameters: {model.width: [2, 3]}", job=job)) == 2
    with pytest.raises(UserError, match=r"job.yaml:6:33: .*\(trial 2: model.width wide"):
        trials(tmp_path, "parameters: {model.width: [2, wide]}", job=job)
    with pytest.raises(UserError, match=r"job.yaml:6:33: .*\(trial 2: model.width -3"):
        trials(tmp_path, "parameters: {model.width: [2, -3]}", job=job)
    names = "parameters: {model.name: ['net.py:Net', 'other.py:Net']}"
    with pytest.raises(UserError, match=r"job.yaml:6:43: .*no copy of other.py"):
        trials(tmp_path, names, job=job)
    with_code = job.replace("sweep:", "code: [other.py]\nsweep:")
    assert len(trials(tmp_path, names, job=with_code)) == 2
