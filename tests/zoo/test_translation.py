"""Encoder-decoders: padding changes no number, and a step at a time is the whole."""

import pytest
import torch

from hpc_dl import tasks, zoo
from hpc_dl.jobspec.architectures import ZOO
from hpc_dl.jobspec.facts import BEGIN, END, DataFacts, Feature
from hpc_dl.tasks.state import pick
from hpc_dl.tasks.translate import Search
from hpc_dl.zoo.layers.attention_translation import DecoderLayer
from tests.support.measured import parts_of

WORDS = ("<unk>", BEGIN, END, *"abcdef")
FACTS = DataFacts(
    "text",
    "translate",
    {"text": Feature("int", (None,), WORDS, longest=12, tokens="words")},
    {"translation": Feature("int", (None,), WORDS, longest=6, tokens="words")},
    *(8, 2, 2),
)
LENGTH, WRITTEN = torch.tensor([5, 2, 7]), torch.tensor([3, 6, 1])
NETWORKS = {
    "rnn": {"hidden": 8, "layers": 2},
    "lstm": {"hidden": 8, "layers": 2, "dropout": 0.0},
    "gru": {"name": "lstm", "cell": "gru", "hidden": 8, "bidirectional": True, "dropout": 0.0},
    "transformer": {"width": 8, "heads": 2, "depth": 2, "dropout": 0.0},
}
each = pytest.mark.parametrize("name", NETWORKS)


def made(name):
    torch.manual_seed(0)
    options = {"name": name, **NETWORKS[name]}
    architecture = zoo.build(ZOO[options["name"]](**options), FACTS, None, tasks.build(FACTS))
    return architecture, architecture.networks()


def batch(width):
    """The same examples, padded with garbage to a width."""
    random = torch.Generator().manual_seed(1)
    text, translation = (torch.randint(3, 9, (3, 12), generator=random) for _ in range(2))
    return {
        "text": text[:, :width],
        "text_length": LENGTH,
        "translation": translation[:, : width - 1],
        "translation_length": WRITTEN,
        "index": torch.arange(3),
    }


def numbers(name, width):
    """All that is computed of a batch."""
    architecture, nets = made(name)
    given = batch(width)
    loss = architecture.loss(nets, given, "model")
    (loss.total / loss.count).backward()
    found = {key: it.grad for key, it in nets["model"].named_parameters()}
    nets["model"].eval()
    with torch.no_grad():
        for key, it in architecture.task.measure(architecture.outputs(nets, given), given).items():
            found |= {f"{key} {n}": tensor for n, tensor in enumerate(parts_of(it))}
        for beam in (1, 3):
            architecture.task.params = Search(beam=beam)
            found[f"beam {beam}"] = architecture.predict(nets, architecture.inputs(given))["tokens"]
    return found


@each
def test_more_padding_changes_no_number(name):
    few, many = numbers(name, 7), numbers(name, 12)
    assert few.keys() == many.keys()
    for what, value in few.items():
        torch.testing.assert_close(many[what], value, msg=f"{what}: {value} {many[what]}")


@each
def test_a_count_is_of_real_tokens(name):
    architecture, nets = made(name)
    assert int(architecture.loss(nets, batch(12), "model").count) == int(WRITTEN.sum())


@each
@pytest.mark.parametrize("beams", [1, 3])
def test_a_token_at_a_time_gives_the_logits_of_the_whole_translation(name, beams):
    architecture, nets = made(name)
    nets["model"].eval()
    given = batch(8)
    begin = torch.full((3, 1), WORDS.index(BEGIN))
    before = torch.cat([begin, given["translation"][:, :-1]], dim=1)
    with torch.no_grad():
        step, state, seen = architecture.step(nets, given), None, []
        for place in range(before.shape[1]):
            tokens = before[:, place]
            if place and beams > 1:  # several translations of each text
                tokens = tokens.repeat_interleave(beams)
                if place == 1:
                    rows = torch.arange(3).repeat_interleave(beams)
                    state = pick(state, rows)
            logits, state = step(tokens, state)
            seen.append(logits[:: len(logits) // 3])
            weights = state["attention"]
            torch.testing.assert_close(weights.sum(1), torch.ones(len(weights)))
            assert not weights[0, 5:].any()  # padding
        torch.testing.assert_close(torch.stack(seen, dim=1), architecture.outputs(nets, given))


@each
def test_no_logits_depend_on_a_later_token(name):
    architecture, nets = made(name)
    nets["model"].eval()
    given = batch(8)
    other = given["translation"].clone()
    other[:, 4:] = 0
    with torch.no_grad():
        outputs = [
            architecture.outputs(nets, it) for it in (given, {**given, "translation": other})
        ]
    torch.testing.assert_close(*(it[:, :5] for it in outputs))


def test_a_step_computes_its_own_token_alone_and_the_text_is_read_once(monkeypatch):
    architecture, nets = made("transformer")
    nets["model"].eval()
    shapes, texts = [], []
    forward, encode = DecoderLayer.forward, nets["model"].encode
    monkeypatch.setattr(
        DecoderLayer, "forward", lambda *it: shapes.append(it[1].shape[:2]) or forward(*it)
    )
    monkeypatch.setattr(nets["model"], "encode", lambda *it: texts.append(it) or encode(*it))
    architecture.task.params = Search(beam=2, longest=6)
    with torch.no_grad():
        architecture.predict(nets, architecture.inputs(batch(7)))
    assert set(shapes) == {(3, 1), (6, 1)}
    assert len(texts) == 1
