"""A user's own function as a source: what it may return, and what is said when it is wrong."""

import time
from pathlib import Path

import pytest

from hpc_dl.data import describe
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.user import UserData
from tests.support import ranks, reading
from tests.support.running import history, new_run

HERE = Path()

OWN = """\
import torch

def squares(n=40, width=6):
    images = torch.rand(n, 1, width, width, generator=torch.Generator().manual_seed(0))
    labels = (images.mean((1, 2, 3)) > 0.5).long()
    return {"train": {"image": images, "label": labels}, "classes": ["dark", "light"]}

def crooked():
    return {"train": {"image": torch.rand(4, 6, 6), "label": torch.zeros(4).long()}}

def mixed():
    images = torch.rand(9, 1, 6, 6)
    return {"train": {"image": images, "label": torch.arange(9) % 3},
            "test": {"image": images[:, :, :5], "label": torch.arange(9) % 3}}

def given(image=None, label=(0, 1, 2, 1), classes=None):
    image = torch.rand(4, 1, 2, 2) if image is None else torch.tensor(image).expand(4, 1, 2, 2)
    said = {"train": {"image": image, "label": torch.tensor(label)}}
    return said | ({"classes": classes} if classes else {})

def last(width=6):
    split = lambda n: {"image": torch.rand(n, width, width, 3), "label": torch.arange(n) % 2}
    return {"train": split(20), "test": split(4)}

def oblique():
    return {"train": {"image": torch.rand(20, 12, 12, 2), "label": torch.arange(20) % 2}}

def blank():
    return {"train": {"table": torch.ones(20, 3), "label": torch.arange(20) % 2}}

def named(**labels):
    return {name: {"table": torch.rand(len(it), 3), "label": torch.tensor(it)}
            for name, it in labels.items()}

def truths():
    images = torch.arange(80).reshape(20, 1, 2, 2) % 2
    return {"train": {"image": images.byte(), "label": torch.arange(20) % 2}}

def nothing():
    pass

def words():
    return {"train": {"image": ["a", "b"], "label": [0, 1]}}

def chatty():
    print("loading ...", end="")
    images = torch.eye(2).mul(255).byte().expand(20, 3, 2, 2)
    return {"train": {"image": images, "label": torch.arange(20) % 2}}

def killed(code=9):
    import os
    os._exit(code)

def out_of_memory():
    import os
    os.kill(os.getpid(), 9)

def busy():
    import os, subprocess, threading, time
    os.write(1, bytes([255, 0, 10]))
    subprocess.Popen(["sleep", "60"])
    threading.Thread(target=time.sleep, args=(60,)).start()
    return squares()

def fails():
    raise ValueError("the disk is not mounted")

def counted(n=40, steps=7):
    steps = torch.randn(n, steps, 3, generator=torch.Generator().manual_seed(0))
    return {"train": {"sequence": steps, "target": steps.sum((1, 2))}, "targets": ["sum"]}
"""

GRAPHS = """\
import torch
from torch_geometric.data import Data

def ring_or_line(size, label):
    line = torch.stack([torch.arange(size - 1), torch.arange(1, size)])
    edge = torch.cat([line, torch.tensor([[size - 1], [0]])], dim=1) if label else line
    return Data(edge_index=torch.cat([edge, edge.flip(0)], dim=1), num_nodes=size, y=label)

def rings_and_lines():
    return [ring_or_line(4 + n // 2 % 5, torch.tensor([n % 2])) for n in range(80)]

def loose():
    return [ring_or_line(4, torch.tensor([0])), Data(x=torch.full((2, 1), torch.nan),
        edge_index=torch.zeros(2, 0).long(), y=torch.tensor([1]))]

def nodes(**harm):
    edge = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
    return Data(**{"x": torch.rand(4, 2), "edge_index": edge, "y": torch.arange(4) % 2, **harm})

def turned():
    return nodes(edge_index=nodes().edge_index.t())

def of_floats():
    return nodes(edge_index=nodes().edge_index.float())

def one_way():
    return nodes(edge_index=torch.tensor([[0, 1], [1, 2]]), edge_weight=torch.rand(2))

def masked(**said):
    return nodes(**{name: torch.tensor([it == "1" for it in said[name]]) for name in said})

def places():
    return nodes(train_mask=torch.tensor([0, 2]))

def floats():
    return [nodes(y=torch.tensor([float(n % 2)])) for n in range(8)]
"""


@pytest.fixture
def code(tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    (tmp_path / "graphs.py").write_text(GRAPHS)
    return tmp_path


def own(name, **options):
    return UserData.model_validate({"name": f"mine.py:{name}", **options})


def test_an_own_function_describes_itself_to_the_plan(code):
    source = own("squares", n=50, width=4, validation=0.2)
    facts = reading.describe(source, HERE, code)
    assert (facts.shape, facts.classes) == ((1, 4, 4), ("dark", "light"))
    assert (facts.train, facts.validation, facts.test) == (35, 10, 5)
    splits = reading.load(source, HERE, code)
    assert splits.facts == facts
    assert len(splits.train) == 35


def test_tensors_of_another_shape_are_refused_with_the_function_and_the_shape(code):
    with pytest.raises(UserError, match=r"mine.py:crooked: train: image is \(4, 6, 6\)"):
        reading.load(own("crooked"), HERE, code)


def test_an_own_function_that_fails_is_refused_at_submission_with_its_words(code):
    with pytest.raises(UserError, match="ValueError: the disk is not mounted") as caught:
        reading.describe(own("fails"), HERE, code)
    line = OWN.splitlines().index("def fails():") + 2
    assert f"mine.py:{line}: " in caught.value.message


def test_an_own_function_that_is_not_there_is_said_with_those_that_are(code):
    with pytest.raises(UserError, match="defines no 'circles'") as caught:
        reading.load(own("circles"), HERE, code)
    assert "squares" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nothing", {}, "has to return a mapping with 'train'"),
        ("words", {}, "train: image holds text, not real numbers"),
        ("mixed", {}, r"the splits' images differ in shape: \[\(1, 5, 6\), \(1, 6, 6\)\]"),
        ("given", {"image": 255.0}, "goes from 255 to 255, but floats have to lie in"),
        ("given", {"image": float("nan")}, "image: nan in 4 of 4 examples: "),
        ("given", {"image": 3}, "image is torch.int64, but has to be uint8 or floats"),
        ("given", {"label": [0, 1]}, "has to be 4 integers"),
        ("given", {"label": [0.0, 1.5, 2.0, 1.0]}, "1 of 4 labels are no whole numbers, like 1.5"),
        (
            "given",
            {"label": [0, 1, -1, 1]},
            "label: label -1 of 1 of 4 examples is no class",
        ),
        (
            "given",
            {"classes": ["a", "b"]},
            "classes: 2 names, and 3 different labels, of which '2' has none",
        ),
        ("given", {"classes": ["a", "b", "a"]}, "classes: two have the same name: a, b, a"),
        ("given", {"validation": 0.99}, "none is left to train on"),
        ("oblique", {}, "mine.py:oblique: image is .* 12 channels of 12 x 2 pixels"),
        ("blank", {}, "mine.py:blank: train: table: every value is 1: there is nothing to learn"),
        ("named", {"train": [0, 1], "val": [1]}, "mine.py:named: 'val' is none of train,"),
        ("named", {"train": [0, 1], "test": [2]}, "no example of '2' to train on"),
    ],
)
def test_what_is_no_source_is_refused_with_the_function_and_the_fault(code, name, options, message):
    with pytest.raises(UserError, match=message) as caught:
        reading.load(own(name, **options), HERE, code)
    assert f"mine.py:{name}" in str(caught.value) or message.startswith(("none is", "no example"))


def test_channels_may_come_last_and_the_plan_says_so(code):
    facts, given = reading.given(own("last"), HERE, code)
    assert facts.shape == (3, 6, 6)
    assert given["test"].tensors["image"].shape == (4, 3, 6, 6)
    (note,) = facts.notes
    assert note == "mine.py:last: image is read as 6 x 6 pixels with 3 channels, which come last"


def test_truth_values_as_bytes_are_no_pictures(code):
    with pytest.raises(UserError, match="brightest pixel of all images is 1, but white is 255"):
        reading.given(own("truths"), HERE, code)


def test_what_the_function_prints_is_no_part_of_its_facts(code):
    facts = reading.describe(own("chatty"), HERE, code)
    assert (facts.shape, facts.classes, facts.train) == ((3, 2, 2), ("0", "1"), 16)


def test_a_function_that_ends_its_process_is_named(code):
    with pytest.raises(UserError, match=r"mine\.py:killed ended its process \(exit code 9"):
        reading.describe(own("killed"), HERE, code)


@pytest.mark.parametrize(
    "name, options, ending",
    [("killed", {"code": 0}, "exit code 0"), ("out_of_memory", {}, "signal 9, .* memory runs out")],
)
def test_a_process_that_gives_no_answer_is_told_with_its_ending(code, name, options, ending):
    with pytest.raises(UserError, match=rf"mine\.py:{name} ended its process \({ending}"):
        reading.describe(own(name, **options), HERE, code)


def test_what_a_function_prints_as_bytes_or_leaves_running_is_no_matter(code):
    began = time.monotonic()
    assert reading.describe(own("busy"), HERE, code).train == 32
    assert time.monotonic() - began < 40, "the program that it started sleeps for a minute"


def test_a_function_that_does_not_return_is_given_up(code, monkeypatch):
    monkeypatch.setattr(describe, "SECONDS", 0.1)
    with pytest.raises(UserError, match=r"mine\.py:squares did not return within"):
        reading.describe(own("squares"), HERE, code)


def test_sequences_with_regression_targets(code):
    facts, _ = reading.given(own("counted"), HERE, code)
    assert facts.notes == (
        "mine.py:counted: sequence is read as 7 steps in time of 3 numbers each",
    )
    assert (facts.modality, facts.task, facts.shape, facts.target_names) == (
        "sequence",
        "regress",
        (7, 3),
        ("sum",),
    )


@pytest.mark.nightly
def test_rings_are_told_from_lines(code):
    """A list of graphs with a class each, from the user's file to the test's figures."""
    run = ranks.train(
        new_run(
            code,
            code,
            model={"name": "gnn", "layer": "gin", "hidden": 16, "dropout": 0.0, "pooling": "sum"},
            data={"name": "graphs.py:rings_and_lines", "batch_size": 16},
            train={"epochs": 30, "optimizer": {"name": "adam", "lr": 0.02}},
            resources={"tasks_per_node": 2},
        )
    )
    assert history(run)[-1][1]["test/accuracy"] == 1


def test_a_graph_that_is_wrong_is_named_with_its_place(code):
    loose = UserData(name="graphs.py:loose")
    with pytest.raises(UserError, match="train: graph 1: x: nan in 2 of 2 examples"):
        reading.given(loose, HERE, code)


def graph(code, name, **options):
    """The facts of a graph of the user's own."""
    source = UserData.model_validate({"name": f"graphs.py:{name}", **options})
    return reading.given(source, HERE, code)[0]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("turned", {}, r"edge_index is \(6, 2\), but has to be \(2, edges\)"),
        ("of_floats", {}, "edge_index is torch.float32, but has to be integers"),
        ("masked", {"test_mask": "1100"}, "has test_mask, but no train_mask"),
        ("masked", {"train_mask": "1100", "test_mask": "0111"}, "1 nodes of test_mask are in an"),
        ("places", {}, "train_mask is .* but has to be true or false for each of 4 nodes"),
    ],
)
def test_a_graph_that_would_be_read_as_another_is_refused(code, name, options, message):
    with pytest.raises(UserError, match=message):
        graph(code, name, **options)


def test_the_plan_says_what_of_graphs_is_easily_a_mistake(code):
    assert graph(code, "nodes").undirected
    assert not graph(code, "nodes").notes
    facts = graph(code, "one_way")
    assert not facts.undirected
    said = " ".join(facts.notes)
    for what in ("edges that go one way", "nodes without an edge", "edge_weight, which is not"):
        assert f"the graph has {what}" in said
    rings = graph(code, "rings_and_lines")
    assert rings.undirected
    assert rings.notes == ("80 of 80 graphs have no x: each node has a 1 as its feature",)
    assert any("whole numbers as floats" in it for it in graph(code, "floats").notes)


def test_the_bytes_of_pictures_of_floats_and_of_bytes_are_known(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import torch\n"
        "def pictures(whole=False):\n"
        "    image = torch.rand(20, 3, 4, 4)\n"
        "    image = (image * 255).byte() if whole else image\n"
        "    return {'train': {'image': image, 'label': torch.arange(20) % 2}}\n"
    )
    for whole, size in ((False, 4 * 48), (True, 48)):
        source = UserData.model_validate({"name": "mine.py:pictures", "whole": whole})
        facts, _ = reading.given(source, tmp_path, tmp_path)
        assert facts.example_bytes == size + 8, "and a label"
