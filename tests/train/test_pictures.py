"""No picture, of any architecture or user, ends a run or changes what it trains."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from hpc_dl.installed import PYTHON
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.weights import Weights
from hpc_dl.tasks.artifacts import File, Picture, Text
from hpc_dl.tasks.pictures import figure
from hpc_dl.train import recorder
from hpc_dl.train.best_effort import BestEffort
from hpc_dl.train.loop import Evaluated
from hpc_dl.train.recorder import Recorder
from hpc_dl.train.side_effects import limited, undone
from hpc_dl.train.world import World
from tests.support import ranks, steps
from tests.support.running import events, final_state, new_run

TINY = {"model": {"name": "ffnn", "hidden": [4]}}
GOOD = Text("good", "Good")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A recorder's surroundings, in a run folder of their own."""
    folder = tmp_path_factory.mktemp("drawn")
    spec = steps.job(**TINY)
    spec, plan, splits, *_ = steps.surroundings(spec, folder)
    engine, _ = steps.engine_of(spec, folder)
    return spec, plan, engine, splits


def drawn(trained, path, artifacts) -> RunDir:
    """Draw the pictures of two epochs and of the end, as a user's architecture returns them."""
    spec, plan, engine, splits = trained
    run = RunDir(path)
    engine.architecture.artifacts = artifacts
    writer = Recorder(run, spec, plan, engine, splits, Journal(run.journal), 64)
    for epoch in (0, 1):
        writer.note_evaluation(Evaluated(epoch + 1, epoch, {"loss": 1.0}, improved=True))
    writer.draw_test(engine.evaluation_nets, Weights(2))
    writer.journal.close()
    return run


def raising(error):
    def artifacts(nets, sample, held_out):
        raise type(error)(*error.args)

    return artifacts


class Mute(Exception):
    def __str__(self):
        raise ValueError


class Exits(Picture):
    def save(self, path, more=""):
        sys.exit("enough")


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (None, "no pictures of step 1: `artifacts` has returned None, which is no mapping of"),
        ([GOOD], "no pictures of step 1: `artifacts` has returned [Text("),
        ("good", "no pictures of step 1: `artifacts` has returned 'good', which is no mapping"),
        ({"a": None}, "no picture 'a' of step 1: None is no Picture, Text or File"),
        ({"a": Figure()}, "no picture 'a' of step 1: <Figure size 640x480 with 0 Axes> is no"),
        ({"a": "good"}, "no picture 'a' of step 1: 'good' is no Picture, Text or File"),
        ({"a": Picture(None, "A")}, "no picture 'a' of step 1: AttributeError"),
        ({"a": Text("a", 2)}, "no picture 'a' of step 1: its caption is 2, which is no text"),
        ({"a": File("a", ".wav", "A")}, "no picture 'a' of step 1: its content is str, not bytes"),
        ({"a": File(b"", None, "A")}, "no picture 'a' of step 1: its suffix is None, which is"),
        ({"a": File(b"", "/../a", "A")}, "no picture 'a' of step 1: its suffix is '/../a', which"),
        ({"a": Exits(figure(1, 1)[0], "A")}, "no picture 'a' of step 1: SystemExit: enough"),
        ({3: GOOD}, "no picture '3' of step 1: TypeError"),
        ({"..": GOOD}, "no picture '..' of step 1: its name is that of no folder"),
        ({"../../a": GOOD}, "no picture '../../a' of step 1: its name is that of no folder"),
        ({"/a": GOOD}, "no picture '/a' of step 1: its name is that of no folder"),
        ({"": GOOD}, "no picture '' of step 1: its name is that of no folder"),
        ({"a\0": GOOD}, "no picture 'a\0' of step 1: ValueError: embedded null byte"),
        ({"a" * 300: GOOD}, "File name too long"),
    ],
)
def test_what_is_no_picture_is_a_warning_and_the_others_are_drawn(
    trained, tmp_path, returned, said
):
    if isinstance(returned, dict):
        returned = {**returned, "good": GOOD}
    run = drawn(trained, tmp_path, lambda *_: returned)
    first, second = (it["message"] for it in events(run, "warning"))
    assert said in first
    assert "of the test split" in second
    files = sorted(it.name for it in run.path.rglob("*.txt"))
    assert len(files) == (3 if isinstance(returned, dict) else 0)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a" * 2**20),
        SystemExit(3),
        MemoryError(),
        RecursionError(),
        torch.OutOfMemoryError("a"),
        Mute(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_artifacts_is_one_warning_with_a_traceback(trained, tmp_path, capfd, error):
    run = drawn(trained, tmp_path, raising(error))
    said = [it["message"] for it in events(run, "warning")]
    assert [it.partition(": ")[0] for it in said] == [
        "no pictures of step 1",
        "no pictures of the test split",
    ]
    assert all(len(it) < 1100 for it in said)
    log = capfd.readouterr().err
    assert log.count("raise type(error)") == 2
    assert log.count("Traceback") == 2


def test_metrics_and_tables_that_fail_get_a_traceback_too(tmp_path, capfd):
    said, world = [], World(0, 1, torch.device("cpu"))
    best_effort = BestEffort(RunDir(tmp_path), world, said.append, is_sharded=False)
    assert best_effort.on_all_ranks("test metrics", lambda: sys.exit("enough")) is None
    assert said[0].startswith("no test metrics: SystemExit: enough")
    assert 'sys.exit("enough")' in capfd.readouterr().err


def test_a_picture_that_takes_too_long_is_given_up(trained, tmp_path, monkeypatch):
    def forever(nets, sample, held_out):
        while True:
            with contextlib.suppress(Exception):
                time.sleep(0.01)

    monkeypatch.setattr(recorder.units, "seconds", lambda text: 0.1)
    run = drawn(trained, tmp_path, forever)
    first, second = (it["message"] for it in events(run, "warning"))
    assert first.startswith("no pictures of step 1: Stopped: not done after 0 s")
    assert second.startswith("no pictures of the test split: Stopped: not done after 0 s")


def test_the_limit_does_not_outlast_its_context():
    with limited(0.02):
        pass
    time.sleep(0.04)


def careless(nets, sample, held_out):
    """Change whatever can be changed."""
    net = nets["model"]
    with torch.enable_grad():
        for batch in held_out:
            net(batch["image"]).sum().backward()
    net.half()
    for parameter in net.parameters():
        parameter.data.fill_(float("nan"))
        parameter.requires_grad_(False)
    net.add_module("more", nn.Linear(1, 1))
    net.register_forward_hook(lambda *_: 1 / 0)
    net.train()
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_float32_matmul_precision("medium")
    torch.use_deterministic_algorithms(False)
    torch.set_grad_enabled(False)
    warnings.simplefilter("error")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.chdir("/")
    return {"a": Picture(figure(1, 1)[0], "\N{GRINNING FACE}")}


def settings():
    return (
        random.random(),
        np.random.rand(),
        torch.rand(1),
        torch.empty(1).dtype,
        torch.empty(1).device,
        torch.get_float32_matmul_precision(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_grad_enabled(),
        list(warnings.filters),
        signal.getsignal(signal.SIGTERM),
        Path.cwd(),
    )


def test_what_a_picture_changes_is_undone():
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.BatchNorm1d(2))
    nets, batch = {"model": net}, {"image": torch.rand(3, 1, 2, 2)}
    net.train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    pointers = [parameter.data_ptr() for parameter in net.parameters()]
    with undone(nets):
        expected = settings()
    with undone(nets):
        careless(nets, {}, [batch])
    assert settings() == expected
    assert net.training
    assert [parameter.data_ptr() for parameter in net.parameters()] == pointers
    assert all(it.requires_grad and it.grad is None for it in net.parameters())
    after = net.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], value) for name, value in before.items())
    net(batch["image"])


def test_standard_error_that_a_picture_has_closed_is_opened_again():
    """For the warning of the next picture that fails would end the run."""
    code = """if True:
        import os, sys
        from hpc_dl.train.side_effects import undone
        for _ in range(2):
            with undone({}):
                sys.stderr.close()
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                sys.stdout = None
        print("a line")
        sys.stderr.write("a warning\\n")
        sys.__stderr__.write("and another\\n")
    """
    done = subprocess.run([*PYTHON, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("a line\n", "a warning\nand another\n")


CARELESS = """
import torch
from hpc_dl.zoo.architectures.ffnn import FeedForward


class Careless(FeedForward):
    def artifacts(self, nets, sample, held_out):
        if self.options.careless:
            for net in nets.values():
                net.train()
                for batch in held_out:
                    net(batch["image"])
                for parameter in net.parameters():
                    parameter.add_(torch.randn_like(parameter))
            torch.set_default_dtype(torch.float64)
            raise SystemExit("after it has changed all weights")
        return {}
"""


@pytest.mark.slow
def test_training_ends_with_the_same_bits_whatever_pictures_do(tmp_path):
    found = []
    for careless in (False, True):
        root = tmp_path / str(careless)
        (root / "code").mkdir(parents=True)
        (root / "code" / "own.py").write_text(CARELESS)
        model = {"name": "own.py:Careless", "hidden": [4], "activation": "relu", "dropout": 0.5}
        model["careless"] = careless
        run = ranks.train(new_run(root, root / "code", model=model, train={"epochs": 3}))
        found.append(final_state(run))
    assert found[0] == found[1]
