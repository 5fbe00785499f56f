"""Entities are counted as CoNLL counts them, over words that are real."""

import json
import random

import pytest
import torch

from hpc_dl.data.tagged.encoding import WordEncoder
from hpc_dl.jobspec import bio
from hpc_dl.jobspec.bio import Entity
from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.tasks.entity_counts import EntityCounts
from hpc_dl.tasks.padding import is_real
from hpc_dl.tasks.tag import Tagging
from hpc_dl.train.evaluate import EvaluationMetrics
from hpc_dl.train.world import World
from tests.support import ranks
from tests.support.measured import together

TAGS = bio.tags_of(["person", "place"])


def facts(tags=TAGS):
    inputs = {"text": Feature("int", (None, 1 + bio.SPELLING), ("<unk>", "x"), longest=5)}
    targets = {"tags": Feature("int", (None,), tags, longest=5)}
    return DataFacts("text", "tag", inputs, targets, 4, 2, 2)


def sentences(count, seed):
    draw = random.Random(seed)
    return [[draw.choice(TAGS) for _ in range(draw.randint(1, 7))] for _ in range(count)]


def padded(rows):
    ids = [torch.tensor([TAGS.index(it) for it in row]) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=1)


def logits(tags):
    """Outputs of which these tags, (B, T), are the likeliest."""
    return torch.nn.functional.one_hot(tags, len(TAGS)).float() * 9


def batch(true, length):
    text = torch.full((*true.shape, 1 + bio.SPELLING), 98)
    return {"text": text, "text_length": length, "tags": true}


def test_entities_are_found_as_the_conll_evaluation_finds_them():
    found = bio.entities(["I-x", "I-x", "B-x", "O", "I-x", "I-y", "B-y", "I-x"])
    assert found == [
        Entity(0, 2, "x"), Entity(2, 3, "x"), Entity(4, 5, "x"), Entity(5, 6, "y"),
        Entity(6, 7, "y"), Entity(7, 8, "x"),
    ]  # fmt: skip
    assert bio.entities(bio.mark(found, 8)) == found


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_those_of_seqeval(seed):
    metrics = pytest.importorskip("seqeval.metrics")
    true = sentences(60, seed)
    draw = random.Random(seed)
    said = [[it if draw.random() < 0.7 else draw.choice(TAGS) for it in row] for row in true]
    real = is_real(torch.tensor([*map(len, true)]), 7)
    right, predicted, there = EntityCounts(TAGS)(padded(said), padded(true), real)
    assert int(there) == sum(len(bio.entities(row)) for row in true)
    assert float(right / predicted) == pytest.approx(metrics.precision_score(true, said))
    assert float(2 * right / (predicted + there)) == pytest.approx(metrics.f1_score(true, said))


def measured(world, rows):
    """What all ranks measure, of which each has every other sentence."""
    found, task = EvaluationMetrics(world), Tagging(facts(), None, {})
    mine = rows[world.rank :: world.size]
    true = padded(mine)
    said = true.where(torch.arange(true.shape[1]) < 2, 0)
    found.update(task.measure(logits(said), batch(true, torch.tensor([*map(len, mine)]))))
    return found.compute()


def test_metrics_are_those_of_all_sentences_however_they_are_divided_over_ranks(tmp_path):
    rows = sentences(20, 5)
    together = ranks.call_on_all(measured, 2, tmp_path, rows)
    alone = measured(World(0, 1, torch.device("cpu")), rows)
    assert together == pytest.approx(alone)
    assert 0 < alone["f1"] < 1


def test_a_dictionary_is_measured_beside_the_network():
    true = padded([["B-person", "I-person", "O"]])
    given = {**batch(true, torch.tensor([3])), "dictionary": true}
    task = Tagging(facts(), None, {})
    assert together(task.measure(logits(true * 0), given))["f1_dictionary"] == 1
    assert "f1_dictionary" not in task.measure(logits(true), batch(true, torch.tensor([3])))


def test_tags_that_mark_no_entities_have_an_accuracy_alone():
    task, tags = Tagging(facts(("NOUN", "O", "VERB", "X", "Y")), None, {}), torch.tensor([[1, 2]])
    given = batch(tags, torch.tensor([2]))
    assert task.monitored.metric == "accuracy"
    assert set(task.measure(logits(tags), given)) == {"loss", "accuracy"}
    assert set(task.pictures([(logits(tags), given)])) == {"confusion"}


def test_predictions_are_tags_and_entities_of_real_words():
    task = Tagging(facts(), None, {})
    tags = padded([["B-person", "I-person", "O"], ["B-place"]])
    decoded = task.decode({**task.predict(logits(tags)), "length": torch.tensor([3, 1])})
    assert decoded["tags"].tolist() == ["B-person I-person O", "B-place"]
    assert json.loads(decoded["entities"][0]) == [{"start": 0, "end": 2, "type": "person"}]


def test_sentences_are_shown_with_right_wrong_and_missed_entities_and_escaped():
    task, length = Tagging(facts(), None, {}), torch.tensor([4])
    true = padded([["B-person", "I-person", "B-place", "O"]])
    said = padded([["B-person", "I-person", "O", "B-place"]])
    given = batch(true, length)
    words = WordEncoder(("<unk>",)).encode(["a", "<", "b" * 99, "é"])
    given["text"] = torch.from_numpy(words)[None].long()
    drawn = task.pictures([(logits(said), given)])
    page = drawn["sentences"].content.decode()
    assert '<span class="right">a &lt;<sub>person</sub></span>' in page
    assert '<span class="missed">bbbbbbbbbbbbbbbbbbbbbbbb…<sub>place</sub></span>' in page
    assert '<span class="wrong">é<sub>place, true: none</sub></span>' in page
    lines = dict(line.split(maxsplit=1) for line in drawn["entities"].text.splitlines())
    assert lines["person"].split() == ["1.0000", "1.0000", "1.0000", "1", "1"]
    assert lines["all"].split() == ["0.5000", "0.5000", "0.5000", "2", "2"]
