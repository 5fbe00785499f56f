"""Tagged sentences are read as BIO, encoded by the training words, and tagged by a dictionary."""

import os
from pathlib import Path

import pytest
import torch

from hpc_dl.data.tagged import conll, schemes
from hpc_dl.data.tagged.dictionary import Dictionary
from hpc_dl.data.tagged.encoding import WordEncoder
from hpc_dl.data.tagged.sentences import Sentence
from hpc_dl.jobspec.bio import SPELLING, entities
from hpc_dl.jobspec.sources.conll import Conll
from hpc_dl.jobspec.sources.synthetic_entities import SyntheticEntities
from hpc_dl.jobspec.sources.wnut17 import Wnut17
from tests.support import reading

DATA = os.environ.get("HPCDL_DATA")


def sentence(words, tags):
    words = tuple(words.split())
    return Sentence(words, tuple(tags.split()), tuple(range(1, len(words) + 1)))


@pytest.mark.parametrize(
    "tags, expected",
    [
        ("I-x I-x B-x O I-y I-y O", "B-x I-x B-x O B-y I-y O"),  # IOB1
        ("I-x O O I-x I-y I-y O", "B-x O O B-x B-y I-y O"),  # IO
        ("B-x E-x S-y O B-x I-x E-x", "B-x I-x B-y O B-x I-x I-x"),  # BIOES
        ("B-x L-x U-y O B-x I-x L-x", "B-x I-x B-y O B-x I-x I-x"),  # BILOU
        ("B-x I-x O I-y B-y I-x O", "B-x I-x O B-y B-y B-x O"),  # BIO with faults
        ("B I O B B O O", "B-entity I-entity O B-entity B-entity O O"),
    ],
)
def test_tags_of_all_schemes_become_bio(tags, expected):
    read = schemes.to_bio({"train": [sentence("a b c d e f g", tags)]}, "data.path: x")
    assert " ".join(read.corpus["train"][0].tags) == expected


def test_any_columns_of_a_file_can_be_read(tmp_path):
    file = tmp_path / "x.conll"
    file.write_text("1 Anna NNP B-PER x\n2 lives VBZ O x\n\n")
    for columns, expected in (((1, 3), ("B-PER", "O")), ((1, -3), ("NNP", "VBZ"))):
        (found,), _ = conll.read("data.path", file, conll.Columns(*columns))
        assert (found.words, found.tags, found.lines) == (("Anna", "lives"), expected, (1, 2))


def test_a_dictionary_finds_the_longest_phrase_in_any_case_with_its_most_frequent_type():
    training = [
        sentence("New York", "B-place I-place"),
        sentence("York", "B-person"),
        sentence("York , York", "B-place O B-place"),
    ]
    found = Dictionary(training).tag(["new", "york", "or", "York", "or", "Yorkshire"])
    assert found == ["B-place", "I-place", "O", "B-place", "O", "O"]
    assert Dictionary([]).tag(["a"]) == ["O"]


def test_a_word_of_the_training_that_occurs_once_is_unknown_but_spelt():
    encoder = WordEncoder.fit([sentence("The the cat", "O O O")], 10)
    assert encoder.words == ("<unk>", "the")
    found = encoder.encode(["THE", "é", "x" * 99, "\udc80"])
    assert found[:, 0].tolist() == [1, 0, 0, 0]
    assert found[1, 1:].tolist() == [0xC3 + 1, 0xA9 + 1, *[0] * (SPELLING - 2)]
    assert found[2, 1:].tolist() == [ord("x") + 1] * SPELLING
    assert WordEncoder.fit([sentence("b b a a", "O O O O")], 1).words == ("<unk>", "a")


def test_what_is_drawn_for_validation_is_no_part_of_the_vocabulary(tmp_path):
    rows = "".join(f"word{n} O\nword{n} B-x\nlast O\n\n" for n in range(40))
    (tmp_path / "x.conll").write_text(rows)
    splits = reading.load(Conll(name="conll", path=str(tmp_path / "x.conll")), Path())
    assert [len(it) for it in (splits.train, splits.validation, splits.test)] == [32, 4, 4]
    held_out = splits.validation.batch(torch.arange(4))["text"][..., 0]
    assert not held_out[:, :2].any()
    assert held_out[:, 2].all()
    trained = splits.train.batch(torch.arange(32))["text"][..., 0]
    assert trained.all()
    assert splits.assets["words.json"] == WordEncoder.of(splits.facts.inputs).to_json()


def test_held_out_sentences_have_the_tags_of_a_dictionary():
    splits = reading.load(SyntheticEntities(name="synthetic_entities", examples=40), Path())
    assert "dictionary" not in splits.train.batch(torch.arange(2))
    batch = splits.test.batch(torch.arange(10))
    assert torch.equal(batch["dictionary_length"], batch["tags_length"])
    assert batch["dictionary"].shape == batch["tags"].shape


def test_synthetic_sentences_are_those_of_their_seed_and_most_names_are_new():
    one, same, other = (
        reading.given(SyntheticEntities(name="synthetic_entities", seed=seed), Path())[1]
        for seed in (0, 0, 1)
    )
    read = [it["test"].ragged["text"].values for it in (one, same, other)]
    assert torch.equal(read[0], read[1])
    assert not torch.equal(read[0], read[2])
    facts = reading.describe(SyntheticEntities(name="synthetic_entities"), Path())
    assert facts.synthetic
    assert {it[2:] for it in facts.targets["tags"].vocabulary} == {"", "person", "place", "company"}


def test_long_sentences_are_cut_and_no_word_is_lost(tmp_path):
    (tmp_path / "x.conll").write_text(
        "".join(f"w{n} {'B-x' if n % 9 else 'O'}\n" for n in range(25))
    )
    source = Conll(name="conll", path=str(tmp_path / "x.conll"), longest=10)
    splits = reading.load(source, Path())
    assert splits.train.lengths.tolist() == [20, 20, 10]  # of text and tags
    assert splits.facts.shape == (10, 1 + SPELLING)


@pytest.mark.skipif(not DATA, reason="HPCDL_DATA names no folder of real data sets")
def test_the_posts_of_wnut17_are_all_read():
    facts, splits = reading.given(Wnut17(name="wnut17"), Path(DATA))
    assert [len(splits[name]) for name in ("train", "validation", "test")] == [3394, 1009, 1287]
    tags = facts.targets["tags"].vocabulary
    ragged = splits["test"].ragged["tags"]
    rows = ragged.values.split(ragged.lengths.tolist())
    assert sum(len(entities([tags[it] for it in row.tolist()])) for row in rows) == 1079
