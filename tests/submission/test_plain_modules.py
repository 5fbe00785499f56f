"""A plain nn.Module as the network, and a user's or torch's loss, optimizer, schedule and
augmentation: what does not fit is refused at submission, for a step is taken there."""

import re
from pathlib import Path
from typing import Any

import pytest

from hpc_dl.cli import main
from hpc_dl.errors import UserError
from tests.support.snapshots import taken, write
from tests.support.typed import use_settings

pytestmark = pytest.mark.usefixtures("forked_check")

CODE = """
import math
import torch
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    def __init__(self, input_shape, outputs, width: int = 16, sides: tuple[int, int] = (1, 2)):
        super().__init__()
        assert isinstance(sides, tuple)
        numbers = math.prod(input_shape)
        layers = nn.Linear(numbers, width), nn.ReLU(), nn.Linear(width, outputs)
        self.layers = nn.Sequential(nn.Flatten(), *layers)

    def forward(self, example):
        return self.layers(example)

class Seven(Net):
    def __init__(self, input_shape):
        super().__init__(input_shape, 7)

class Squeezed(Net):
    def forward(self, example):
        return self.layers(example).squeeze()

class Needs(Net):
    def __init__(self, input_shape, outputs, depth):
        super().__init__(input_shape, outputs)

class Worded(Net):
    def __init__(self, input_shape, outputs, vocabulary):
        super().__init__(input_shape, outputs)

class Words(nn.Module):
    def __init__(self, vocabulary, outputs, masked: bool = True):
        super().__init__()
        self.masked, self.embedding = masked, nn.Embedding(vocabulary, 4)
        self.head = nn.Linear(4, outputs)

    def forward(self, text, length):
        real = torch.arange(text.shape[1]) < length[:, None]
        vectors = self.embedding(text)
        if not self.masked:
            return self.head(vectors.mean(1))
        return self.head((vectors * real[..., None]).sum(1) / length[:, None])

class Deaf(Words):
    def forward(self, text):
        return self.head(self.embedding(text).mean(1))

class Steps(nn.Module):
    def __init__(self, vocabulary, outputs, both: bool = False):
        super().__init__()
        self.embedding, self.head = nn.Embedding(vocabulary, 4), nn.Linear(4, outputs)
        self.cells = nn.GRU(4, 4 // (1 + both), batch_first=True, bidirectional=both)

    def forward(self, text, length):
        return self.head(self.cells(self.embedding(text))[0])

class Spelt(Steps):
    def forward(self, text, length):
        return super().forward(text[..., 0], length)

class Nodes(nn.Module):
    def __init__(self, input_shape, outputs):
        super().__init__()
        self.layer = nn.Linear(*input_shape, outputs)

    def forward(self, node, edge):
        return self.layer(node) + self.layer(node)[edge[0]].mean()

class Plain: ...

def late(outputs, targets):
    return F.cross_entropy(outputs, targets)

def focal(outputs, targets, gamma: float = 2.0):
    nats = F.cross_entropy(outputs, targets, reduction="none")
    return (1 - (-nats).exp()) ** gamma * nats

def crowded(outputs, targets):
    return focal(outputs - outputs.mean(0), targets)

class Learned(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

def halving(step, steps, every: int = 10):
    return 0.5 ** (step // every)

def negative(step, steps):
    return -1

class Remembers:
    times = 0
    def __call__(self, step, steps):
        Remembers.times += 1
        return 1 / Remembers.times
remembers = Remembers()

def cutout(image, size: int = 2):
    top = int(torch.randint(image.shape[-1] - size, ()))
    image = image.clone()
    image[..., top : top + size, :] = 0
    return image

def halved(image):
    return image[..., ::2]

class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-4, beta: float = 0.9):
        super().__init__(params, {"lr": lr, "beta": beta})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for it in (it for it in group["params"] if it.grad is not None):
                momentum = self.state[it].setdefault("momentum", torch.zeros_like(it))
                momentum.lerp_(it.grad, 1 - group["beta"])
                it.sub_(group["lr"] * momentum.sign())
"""
TEXT, REVIEWS = {"name": "text", "length": 9}, {"name": "synthetic_reviews", "longest": 12}
TAGS, KARATE = {"name": "synthetic_entities", "examples": 40}, {"name": "karate"}
SERIES = {"name": "series"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "base", {"net.py": CODE})


def part(section: str, options: dict[str, Any]) -> dict[str, Any]:
    """A job's sections with a part in its place, `train.loss`."""
    outer, _, inner = section.partition(".")
    if outer == "data" and inner:
        return {"data": {"name": "digits", inner: options}}
    return {outer: {"steps": 20, inner: options}} if inner else {outer: options}


TAKEN = {
    "images": {"model": {"name": "net.py:Net"}},
    "texts": {"model": {"name": "net.py:Words"}, "data": REVIEWS},
    "next tokens": {"model": {"name": "net.py:Steps"}, "data": TEXT},
    "tags": {"model": {"name": "net.py:Spelt"}, "data": TAGS},
    "nodes": {"model": {"name": "net.py:Nodes"}, "data": KARATE},
    "forecasts": {"model": {"name": "net.py:Net"}, "data": SERIES},
    "all of it": {
        "model": {"name": "net.py:Net"},
        "data": {"name": "digits", "augment": {"name": "net.py:cutout", "size": 3}},
        "train": {
            "steps": 20,
            "loss": {"name": "net.py:focal", "gamma": 1.5},
            "optimizer": {"name": "net.py:Lion", "lr": 1e-3, "beta": 0.8},
            "schedule": {"name": "net.py:halving", "every": 3},
        },
    },
    "torch's": {
        "train": {
            "steps": 20,
            "loss": {"name": "CrossEntropyLoss", "label_smoothing": 0.1},
            "optimizer": {"name": "rmsprop", "lr": 1e-3, "momentum": 0.9},
            "schedule": {"name": "OneCycleLR", "pct_start": 0.2},
        },
    },
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_fits_is_taken_without_a_note(name: str, folder: Path) -> None:
    assert taken(folder, **TAKEN[name]).notes == ()


def test_the_network_of_the_readme_is_taken(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text()
    found_in = r"```python\n(import math\n\nfrom torch import nn\n.*?)```"
    (block,) = re.findall(found_in, text, re.DOTALL)
    folder = write(tmp_path, {"net.py": block})
    found = taken(folder, model={"name": "net.py:Net", "width": 128})
    assert found.sections["model"] == {"name": "net.py:Net", "width": 128}
    assert found.notes == ()


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no network": (part("model", {"name": "net.py:Plain"}), "is no class of networks"),
    "of seven classes": (
        part("model", {"name": "net.py:Seven"}),
        "net.py:Seven returns (4, 7) for inputs (4, 1, 8, 8), but has to return (4, 10)",
    ),
    "squeezed": (
        part("model", {"name": "net.py:Squeezed"}),
        "net.py:Squeezed returns (10,) for inputs (1, 1, 8, 8), but has to return (1, 10)",
    ),
    "an option that is missing": (
        part("model", {"name": "net.py:Needs"}),
        "model.depth is missing",
    ),
    "an option of another type": (
        part("model", {"name": "net.py:Net", "width": "wide"}),
        "model.width has to be a whole number, not 'wide'",
    ),
    "what the data decide": (
        part("model", {"name": "net.py:Net", "outputs": 3}),
        "model.outputs cannot be set",
    ),
    "a vocabulary of images": (
        part("model", {"name": "net.py:Worded"}),
        "asks for a vocabulary, and the data are no texts",
    ),
    "no lengths": (
        {"model": {"name": "net.py:Deaf"}, "data": REVIEWS},
        "cannot be called: too many positional arguments",
    ),
    "the future": (
        {"model": {"name": "net.py:Steps", "both": True}, "data": TEXT},
        "returns for a step what depends on later ones",
    ),
    "a translation": (
        {"model": {"name": "net.py:Words"}, "data": {"name": "synthetic_translation"}},
        "the data's task 'translate' asks for more",
    ),
    "a mean": (part("train.loss", {"name": "net.py:late"}), "returns () for outputs (4, 10)"),
    "a loss that learns": (
        part("train.loss", {"name": "net.py:Learned"}),
        "has parameters, which a loss does not train",
    ),
    "a loss of numbers": (
        part("train.loss", {"name": "HuberLoss"}),
        "HuberLoss is a loss to regress",
    ),
    "an option of a loss": (
        part("train.loss", {"name": "net.py:focal", "gama": 1.0}),
        "unknown key 'gama' in train.loss; did you mean 'gamma'?",
    ),
    "an option of torch's": (
        part("train.optimizer", {"name": "rmsprop", "lr": 0.1, "alpa": 0.9}),
        "unknown key 'alpa' in train.optimizer; did you mean 'alpha'?",
    ),
    "a value of torch's": (
        part("train.optimizer", {"name": "rmsprop", "lr": 0.1, "alpha": -1.0}),
        "rmsprop: Invalid alpha value: -1.0",
    ),
    "no optimizer": (
        part("train.optimizer", {"name": "net.py:Net", "lr": 0.1}),
        "is no class of optimizers",
    ),
    "a schedule below 0": (
        part("train.schedule", {"name": "net.py:negative"}),
        "returns -1 for step",
    ),
    "a schedule with a memory": (
        part("train.schedule", {"name": "net.py:remembers"}),
        "returned other numbers for the same steps",
    ),
    "a schedule without its length": (
        part("train.schedule", {"name": "CosineAnnealingLR"}),
        "train.schedule.T_max is missing",
    ),
    "momentum of a schedule": (
        part("train.schedule", {"name": "OneCycleLR", "cycle_momentum": True}),
        "train.schedule.cycle_momentum cannot be set",
    ),
    "another shape": (
        part("data.augment", {"name": "net.py:halved"}),
        "returns (4, 1, 8, 4) torch.float32 on the cpu for (4, 1, 8, 8)",
    ),
    "a key of hpcdl's own": (
        part("data.augment", {"name": "net.py:cutout", "crop": 1}),
        "unknown key 'crop' in data.augment",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name: str, folder: Path) -> None:
    sections, message = REFUSED[name]
    with pytest.raises(UserError) as refused:
        taken(folder, **sections)
    assert message in refused.value.message


NOTED = {
    "changes the outputs": {"model": {"name": "net.py:Words", "masked": False}, "data": REVIEWS},
    "depends on the others": part("train.loss", {"name": "net.py:crowded"}),
}


@pytest.mark.parametrize("note", NOTED)
def test_what_depends_on_the_batch_is_noted_in_the_plan(note: str, folder: Path) -> None:
    (found,) = taken(folder, **NOTED[note]).notes
    assert note in found


JOB = """\
name: own
model: {name: net.py:Net, width: 8}
data: {name: digits}
train:
  epochs: 1
  optimizer: {name: lino, lr: 1e-3}
  loss: {name: net.py:focal, gamma: high}
"""


def test_faults_are_shown_where_they_were_written(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_settings(monkeypatch, folder)
    (folder / "job.yaml").write_text(JOB)
    words = ["submit", str(folder / "job.yaml"), "--local", "--dry-run=plan"]
    assert main(words) == 2
    assert "job.yaml:6:21: there is no train.optimizer 'lino'" in capsys.readouterr().err
    assert main([*words, "train.optimizer.name=rmsprop"]) == 2
    message = "job.yaml:7:37: train.loss.gamma has to be a number, not 'high'"
    assert message in capsys.readouterr().err
    assert main([*words, "train.optimizer.name=rmsprop", "train.loss.gamma=1.5"]) == 0
    assert "net.py:Net: width 8, sides [1, 2]" in capsys.readouterr().out
