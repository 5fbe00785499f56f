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

class Squashed(Net):
    def forward(self, example):
        return self.layers(example).softmax(1)

class Listed(Net):
    def __init__(self, input_shape, outputs):
        super().__init__(input_shape, outputs)
        self.more = [nn.Linear(math.prod(input_shape), outputs)]

    def forward(self, example):
        return self.layers(example) + self.more[0](example.flatten(1))

class Detached(Net):
    def forward(self, example):
        return self.layers(example).detach()

class Chosen(Net):
    def forward(self, example):
        return F.one_hot(self.layers(example).argmax(1), 10)

class Lazy(Net):
    def __init__(self, input_shape):
        nn.Module.__init__(self)
        self.layers = nn.Sequential(nn.Flatten(), nn.LazyLinear(10))

class Growing(Net):
    def __init__(self, input_shape, outputs):
        super().__init__(input_shape, outputs)
        self.register_buffer("seen", torch.zeros(0))

    def forward(self, example):
        self.seen = torch.cat([self.seen, example.mean()[None]])
        return self.layers(example)

class Doubling(Net):
    def forward(self, example):
        return self.layers(example.mul_(2))

class Dropping(Net):
    def forward(self, example):
        return F.dropout(self.layers(example))

class Mixing(Net):
    def forward(self, example):
        return self.layers(example - example.mean(0))

class Passing(Net):
    def __init__(self, depth: int = None, eps: float = math.inf, **others):
        super().__init__(**others)

class Built(Net):
    def __init__(self, input_shape, outputs, layer=nn.Linear):
        super().__init__(input_shape, outputs)

class Named(Net):
    def __init__(self, input_shape, outputs, init_from=""):
        super().__init__(input_shape, outputs)

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

def shifting(outputs, targets):
    outputs -= outputs.amax(1, keepdim=True)
    return focal(outputs, targets)

def alone(outputs):
    return outputs.sum(1)

class Learned(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

def halving(step, steps, every: int = 10):
    return 0.5 ** (step // every)

def negative(step, steps):
    return -1

def dipping(step, steps):
    return -1 if step == 7 else 1

def absolute(step, steps):
    return 0.001

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

def brightened(image, drawing=torch.Generator()):
    return image * torch.rand((), generator=drawing)

def hollow(image):
    return (image - 1).log()

def shuffled(image):
    return image.flip(0)

class Counted(torch.optim.SGD):
    def __init__(self, params, **options):
        super().__init__(params, **options)

class Counting(torch.optim.SGD):
    steps = 0
    def step(self, closure=None):
        self.steps += 1
        self.param_groups[0]["lr"] /= self.steps
        super().step()

class Still(torch.optim.SGD):
    def step(self, closure=None): ...

class Stubborn(torch.optim.SGD):
    def step(self, closure=None):
        self.param_groups[0]["lr"] = 0.1
        super().step()

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
    "options for a base class": {
        "model": {"name": "net.py:Passing", "width": 8},
        "train": {"steps": 20, "optimizer": {"name": "net.py:Counted", "lr": 0.1}},
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
    "a softmax at its end": (part("model", {"name": "net.py:Squashed"}), "ends in a softmax"),
    "layers in a list": (
        part("model", {"name": "net.py:Listed"}),
        "tensors that are not among its parameters, so that they would be neither trained nor "
        "saved: of shape (10, 64), (10,)",
    ),
    "no gradient": (part("model", {"name": "net.py:Detached"}), "Detached have no gradient"),
    "no logits": (part("model", {"name": "net.py:Chosen"}), "returns torch.int64 for inputs"),
    "layers without a size": (
        part("model", {"name": "net.py:Lazy"}),
        "has layers without a size: layers.1.weight",
    ),
    "a buffer that grows": (
        part("model", {"name": "net.py:Growing"}),
        "changes the shape of 'seen' from (0,) to",
    ),
    "inputs that it changes": (part("model", {"name": "net.py:Doubling"}), "changes the inputs"),
    "an option that is a class": (
        part("model", {"name": "net.py:Built", "layer": "Linear"}),
        "model.layer cannot be set: its default is <class",
    ),
    "a parameter called like a key": (
        part("model", {"name": "net.py:Named"}),
        "has a parameter 'init_from', but model.init_from is a key",
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
    "outputs that a loss changes": (
        part("train.loss", {"name": "net.py:shifting"}),
        "net.py:shifting changes the outputs or targets",
    ),
    "a loss without targets": (
        part("train.loss", {"name": "net.py:alone"}),
        "train.loss: net.py:alone: alone() takes 1 positional argument but 2 were given",
    ),
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
    "half a pair": (
        part("train.optimizer", {"name": "nadam", "lr": 0.1, "betas": [0.9]}),
        "train.optimizer.betas.1 is missing",
    ),
    "the opposite": (
        part("train.optimizer", {"name": "rmsprop", "lr": 0.1, "maximize": True}),
        "train.optimizer.maximize cannot be set",
    ),
    "an optimizer that does nothing": (
        part("train.optimizer", {"name": "net.py:Still", "lr": 0.1}),
        "a step of net.py:Still changes no parameter",
    ),
    "an optimizer with a memory": (
        part("train.optimizer", {"name": "net.py:Counting", "lr": 0.1}),
        "net.py:Counting goes on otherwise after its state_dict was loaded",
    ),
    "no optimizer": (
        part("train.optimizer", {"name": "net.py:Net", "lr": 0.1}),
        "is no class of optimizers",
    ),
    "a schedule below 0": (
        part("train.schedule", {"name": "net.py:negative"}),
        "returns -1 for step",
    ),
    "a step of a schedule below 0": (
        part("train.schedule", {"name": "net.py:dipping"}),
        "returns -1 for step 7 of 20",
    ),
    "a schedule of torch's below 0": (
        part("train.schedule", {"name": "StepLR", "step_size": 3, "gamma": -1.0}),
        "StepLR has a learning rate of -",
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
    "random numbers of its own": (
        part("data.augment", {"name": "net.py:brightened"}),
        "returned other inputs as it was called again with the same seed",
    ),
    "infinities": (part("data.augment", {"name": "net.py:hollow"}), "makes NaN or infinities"),
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
    "returns other outputs for the same inputs": part("model", {"name": "net.py:Dropping"}),
    "other examples of a batch change": part("model", {"name": "net.py:Mixing"}),
    "labels and targets stay": part("data.augment", {"name": "net.py:shuffled"}),
    "at a learning rate of 0": part("train.optimizer", {"name": "net.py:Stubborn", "lr": 0.1}),
    "0.001 times train.optimizer.lr": part("train.schedule", {"name": "net.py:absolute"}),
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
