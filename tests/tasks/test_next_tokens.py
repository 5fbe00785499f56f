"""Losses of different tokens compare by the characters that these stand for."""

import math

import pytest
import torch

from hpc_dl.data import tokens
from hpc_dl.jobspec import metrics
from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.tasks import character_counts, detokenize
from hpc_dl.tasks.predict_next import NextElement

TEXT = "größer 😀 the cat, the cat\n" * 5


def task_of(kind):
    made = tokens.fit(kind, [TEXT], 280)
    feature = Feature("int", (None,), made.tokens, longest=99, tokens=kind)
    given = {"text": feature}
    facts = DataFacts(
        "text", "predict_next", given, {"next": feature}, train=1, validation=1, test=1
    )
    return made, NextElement(facts, None, {})


def measure(kind, padding=0):
    """Metrics of a network that knows nothing, of TEXT and so many paddings."""
    made, task = task_of(kind)
    ids = torch.tensor(made.encode(TEXT))
    wanted = torch.nn.functional.pad(ids, (0, padding))[None]
    batch = {"next": wanted, "text": wanted, "text_length": torch.tensor([len(ids)])}
    found = task.measure(torch.zeros(1, wanted.shape[1], len(made.tokens)), batch)
    return len(ids), len(made.tokens), found


@pytest.mark.parametrize("kind", ["characters", "bytes", "byte_pairs"])
@pytest.mark.parametrize("padding", [0, 7])
def test_nats_and_bits_are_of_the_characters_of_the_text(kind, padding):
    count, size, found = measure(kind, padding)
    nats, bits = (found[f"{it}_per_character"] for it in ("nats", "bits"))
    assert int(nats.count) == int(bits.count) == len(TEXT)
    assert float(nats.total) == pytest.approx(count * math.log(size), rel=1e-5)
    assert float(bits.total) == pytest.approx(count * math.log2(size), rel=1e-5)


def test_words_have_no_loss_a_character_and_none_can_be_monitored():
    *_, found = measure("words")
    assert set(found) == {"loss", "accuracy", "perplexity"}
    _, task = task_of("words")
    assert metrics.of_task(task.facts) == ("loss", "accuracy", "perplexity")


@pytest.mark.parametrize("kind", ["characters", "bytes", "byte_pairs"])
def test_a_continuation_is_text(kind):
    made, task = task_of(kind)
    ids = torch.tensor(made.encode(TEXT))[None]
    assert task.decode({"tokens": ids})["continuation"].tolist() == [TEXT]


def test_words_are_continued_after_a_blank():
    made, task = task_of("words")
    ids = torch.tensor(made.encode("the cat"))[None]
    assert task.decode({"tokens": ids})["continuation"].tolist() == [" the cat"]


@pytest.mark.parametrize("kind", ["bytes", "byte_pairs"])
def test_what_looks_like_a_special_token_in_a_text_is_text(kind):
    tags = "<s>old</s> <s>price</s>\n" * 50
    made = tokens.fit(kind, [tags], 300)
    feature = Feature("int", (None,), made.tokens, longest=99, tokens=kind)
    assert detokenize.text(feature, made.encode(tags).tolist()) == tags
    assert sum(map(character_counts.of_tokens(feature).__getitem__, made.encode(tags))) == len(tags)
