"""Sentences and their translations."""

import os
import sys
from pathlib import Path

import pytest

from hpc_dl.data import loading, sources, tokens
from hpc_dl.data.sentence_pairs.source import SIGNATURE
from hpc_dl.data.sources.synthetic_translation import in_english, in_german
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import BEGIN, END
from hpc_dl.jobspec.sources.multi30k import Multi30k
from hpc_dl.jobspec.sources.parallel import Parallel
from hpc_dl.jobspec.sources.synthetic_translation import SyntheticTranslation
from hpc_dl.tasks import detokenize

NUMBERS = SyntheticTranslation(name="synthetic_translation", examples=60)


@pytest.mark.parametrize(
    ("number", "german", "english"),
    [
        (0, "null", "zero"),
        (1, "eins", "one"),
        (17, "siebzehn", "seventeen"),
        (21, "einundzwanzig", "twenty-one"),
        (101, "einhunderteins", "one hundred one"),
        (1000, "eintausend", "one thousand"),
        (30_016, "dreißigtausendsechzehn", "thirty thousand sixteen"),
        (
            987_654,
            "neunhundertsiebenundachtzigtausendsechshundertvierundfünfzig",
            "nine hundred eighty-seven thousand six hundred fifty-four",
        ),
    ],
)
def test_numbers_in_words(number, german, english):
    assert (in_german(number), in_english(number)) == (german, english)


def test_every_number_has_words_of_its_own():
    some = range(0, 1_000_000, 37)
    assert len(set(map(in_german, some))) == len(set(map(in_english, some))) == len(some)


def test_synthetic_numbers_are_those_of_their_seed_and_no_held_out_one_is_trained_on():
    source = sources.build(NUMBERS, Path())
    facts = source.describe()
    assert facts.synthetic
    assert facts == sources.build(NUMBERS, Path()).describe()
    splits = loading.load(source)
    texts = {
        name: {
            tuple(row.tolist())
            for row in split.ragged["text"].values.split(split.ragged["text"].lengths.tolist())
        }
        for name, split in (("train", splits.train), ("test", splits.test))
    }
    assert len(texts["train"]) == 48
    assert not texts["train"] & texts["test"]


def test_a_batch_holds_tokens_and_held_out_ones_the_reference_as_it_was_written():
    splits = loading.load(sources.build(NUMBERS, Path()))
    facts, batch = splits.facts, splits.test.batch(splits.test.index.argsort()[:3])
    assert "reference" not in splits.train.ragged
    feature = facts.targets["translation"]
    for row in range(3):
        ids = batch["translation"][row, : batch["translation_length"][row]].tolist()
        assert feature.vocabulary[ids[-1]] == END
        reference = bytes(batch["reference"][row, : batch["reference_length"][row]].tolist())
        assert detokenize.text(feature, ids[:-1]) == reference.decode()


@pytest.mark.parametrize("kind", ["characters", "bytes", "words", "byte_pairs"])
def test_the_text_of_tokens_needs_their_feature_alone(kind, tmp_path):
    sentence = "Ein Zug fährt «ab», 1 2 3."
    for language in ("de", "en"):
        (tmp_path / f"x.{language}").write_text(f"{sentence}\n{language} und\n" * 10)
    path = str(tmp_path / "x")
    options = Parallel(name="parallel", path=path, source="de", target="en", tokens=kind)
    source = sources.build(options, Path())
    feature = source.describe().targets["translation"]
    for name, text in source.assets(source.describe()).items():
        (tmp_path / name).write_text(text)
    read, written = (
        tokens.load(tmp_path / name) for name in ("vocabulary.json", "target_vocabulary.json")
    )
    ids = written.encode(sentence).tolist()
    assert detokenize.text(feature, ids) == sentence
    if kind in detokenize.BYTES:
        begin, end = map(feature.vocabulary.index, (BEGIN, END))
        assert detokenize.text(feature, [begin, *ids, end]) == sentence
    assert {BEGIN, END} <= set(written.tokens)
    assert not {BEGIN, END} & set(read.tokens)


def test_the_signature_of_bleu_is_that_of_sacrebleu():
    sacrebleu = pytest.importorskip("sacrebleu")
    bleu = sacrebleu.BLEU()
    bleu.corpus_score(["a"], [["a"]])
    assert str(bleu.get_signature()) == f"{SIGNATURE}|version:{sacrebleu.__version__}"


def test_without_sacrebleu_files_are_refused_with_pips_line(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    options = Parallel(name="parallel", path="x", source="de", target="en")
    with pytest.raises(UserError, match="sacrebleu, which is not installed") as caught:
        sources.build(options, tmp_path).describe()
    assert caught.value.hint == "pip install 'hpcdl[text]'"


@pytest.mark.skipif("HPCDL_DATA" not in os.environ, reason="HPCDL_DATA is not set")
def test_multi30k_has_the_splits_that_are_published():
    options = Multi30k(name="multi30k", source="en", target="de", tokens="characters")
    facts = sources.build(options, Path(os.environ["HPCDL_DATA"])).describe()
    assert (facts.train, facts.validation, facts.test) == (29_000, 1014, 1000)
    assert "ß" in facts.targets["translation"].vocabulary


def test_multi30k_that_is_not_staged_says_which_files_to_put_where(tmp_path):
    with pytest.raises(UserError, match="multi30k is not staged") as caught:
        sources.build(Multi30k(name="multi30k"), tmp_path).describe()
    assert "put train.de, train.en, val.de, val.en, test_2016_flickr.de" in caught.value.hint
    assert str(tmp_path / "multi30k") in caught.value.hint
