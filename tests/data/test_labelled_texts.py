"""Texts with a class each: what is fitted on the training split, how they are divided, and that
streamed ones are the same."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hpc_dl.data import sources, text_files, tokens
from hpc_dl.data.sources import synthetic_dna, synthetic_reviews
from hpc_dl.data.tokens.dna import Dna
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources import SOURCES
from tests.support import reading
from tests.support.real_data import ROOT, needs

HERE = Path()


def options(name, **more):
    return SOURCES[name].model_validate({"name": name, **more})


def text_folder(root, count=12):
    for split in ("train", "test"):
        for label, word in (("neg", "bad"), ("pos", "good")):
            folder = root / split / label
            folder.mkdir(parents=True)
            for n in range(count):
                text = f"A {word} film" + ", really" * (n % 4) + f" number{n} {split}."
                (folder / f"{n}.txt").write_text(text)
    (root / "train" / "unsup").mkdir()
    (root / "train" / "unsup" / "0.txt").write_text("nobody knows")
    return options("text_folder", root=str(root), longest=8)


@pytest.mark.parametrize("name", ["synthetic_reviews", "synthetic_dna"])
def test_a_description_is_that_of_the_examples_and_says_that_they_are_synthetic(name):
    given = options(name)
    splits = reading.load(given, HERE, HERE, None)
    assert splits.facts == reading.describe(given, HERE, HERE)
    assert splits.facts.synthetic
    assert "by chance" in splits.facts.notes[0]
    sizes = (splits.facts.train, splits.facts.validation, splits.facts.test)
    assert sizes == tuple(map(len, (splits.train, splits.validation, splits.test)))


def test_generated_examples_are_the_same_each_time():
    sites, reviews = (
        [sources.build(options(name), HERE, HERE).read().texts["train"] for _ in range(2)]
        for name in ("synthetic_dna", "synthetic_reviews")
    )
    assert sites[0] == sites[1]
    assert reviews[0] == reviews[1]


def test_counts_of_words_do_not_suffice_to_tell_the_classes_of_generated_reviews():
    splits = reading.load(options("synthetic_reviews"), HERE, HERE, None)
    width = len(splits.facts.inputs["text"].vocabulary)

    def bags(split):
        batch = split.batch(torch.arange(len(split)))
        bags = [
            torch.bincount(row[:end], minlength=width)
            for row, end in zip(batch["text"], batch["text_length"], strict=True)
        ]
        return torch.stack(bags).double().numpy(), batch["label"].numpy()

    counts, labels = bags(splits.train)
    weights = np.linalg.lstsq(counts, labels - 0.5, rcond=None)[0]
    counts, labels = bags(splits.test)
    assert np.mean((counts @ weights > 0) == labels) < 0.85
    assert 1 - synthetic_reviews.NOISE > 0.9


def test_most_generated_sites_are_told_apart_by_who_knows_the_shares():
    sequences = reading.load(options("synthetic_dna"), HERE, HERE, None)
    batch = sequences.test.batch(torch.arange(len(sequences.test)))
    letters = ["".join("ACGT"[it] for it in row) for row in batch["text"].tolist()]
    right = [
        synthetic_dna._likeliest(text) == label
        for text, label in zip(letters, batch["label"].tolist(), strict=True)
    ]
    assert 0.8 < np.mean(right) < 0.98


def test_the_vocabulary_is_of_the_training_split_alone(tmp_path):
    source = text_folder(tmp_path)
    splits = reading.load(source, HERE, HERE, None)
    vocabulary = splits.facts.inputs["text"].vocabulary
    assert "train" in vocabulary
    assert "test" not in vocabulary
    assert "nobody" not in vocabulary
    assert any("are none of the" in note for note in splits.facts.notes)
    assert "not read in train: unsup/" in splits.facts.notes


def test_longer_texts_lose_their_end_and_are_counted(tmp_path):
    splits = reading.load(text_folder(tmp_path), HERE, HERE, None)
    batch = splits.train.batch(torch.arange(len(splits.train)))
    assert batch["text_length"].max() == 8 == splits.facts.shape[0]
    assert any(
        "texts have more than 8 tokens and lose their end" in it for it in splits.facts.notes
    )


@pytest.mark.parametrize("chosen", [[0, 1, 2], [5], [3, 2]])
def test_streamed_texts_are_the_same_bit_for_bit(tmp_path, chosen):
    source = text_folder(tmp_path)
    resident, streamed = (reading.load(source, HERE, HERE, workers) for workers in (None, 0))
    assert resident.facts == streamed.facts
    for of in ("train", "test"):
        positions = torch.tensor(chosen)
        one, other = (getattr(it, of).batch(positions) for it in (resident, streamed))
        assert {*one} == {*other}
        assert all(torch.equal(one[name], other[name]) for name in one)
        assert one["text"].dtype == other["text"].dtype == torch.int64


def test_small_texts_are_read_once_and_large_ones_give_the_same(tmp_path, monkeypatch):
    source, read, paths = text_folder(tmp_path), text_files.read, []
    monkeypatch.setattr(text_files, "read", lambda *it: paths.append(it[1]) or read(*it))
    facts = sources.build(source, HERE, HERE).load()[0]
    assert len(paths) == len(set(paths)) == facts.train + facts.validation + facts.test
    monkeypatch.setattr(text_files, "KEPT", 9)
    assert sources.build(source, HERE, HERE).load()[0] == facts


def test_the_tokenizer_goes_with_the_run(tmp_path):
    splits = reading.load(text_folder(tmp_path / "texts"), HERE, HERE, None)
    (tmp_path / tokens.FILE).write_text(splits.assets[tokens.FILE])
    tokenizer = tokens.load(tmp_path / tokens.FILE)
    assert tokenizer.tokens == splits.facts.inputs["text"].vocabulary
    assert tokenizer.encode("Unheard, GOOD").tolist()[0] == 0
    assert tokenizer.tokens[tokenizer.encode("Unheard, GOOD")[2]] == "good"


def test_a_table_of_texts_reads_words_that_look_like_numbers(tmp_path):
    rows = "".join(f'"a {n}, b",{n % 2}\n{n},{n % 2}\n' for n in range(20))
    (tmp_path / "my.csv").write_text(f"review,stars\n{rows}")
    source = options("text_csv", path=str(tmp_path / "my.csv"), text="review", target="stars")
    splits = reading.load(source, HERE, HERE, None)
    assert splits.facts.classes == ("0", "1")
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 40


def test_a_fasta_has_its_classes_in_headers_or_in_a_table(tmp_path):
    file = tmp_path / "my.fa"
    rows = [(f"s{n}", "pos" if n % 2 else "neg") for n in range(20)]
    file.write_text("".join(f">{name} {label}\nACGU\nacgt\n" for name, label in rows))
    by_header = reading.load(options("fasta", path=str(file)), HERE, HERE, None)
    file.write_text("".join(f">{name}|{label}\nACGT\nACGT\n" for name, label in rows))
    by_bar = reading.load(options("fasta", path=str(file)), HERE, HERE, None)
    file.write_text("".join(f">{name}\nACGTACGT\n" for name, _ in rows))
    table = tmp_path / "labels.csv"
    table.write_text("id,label\n" + "".join(f"{name},{label}\n" for name, label in rows))
    by_table = reading.load(options("fasta", path=str(file), labels=str(table)), HERE, HERE, None)
    for splits in (by_header, by_bar, by_table):
        assert splits.facts.classes == ("neg", "pos")
        batch = splits.test.batch(torch.arange(2))
        assert batch["text"].tolist() == [[0, 1, 2, 3] * 2] * 2
        names = [splits.names.of(it) for it in batch["index"].tolist()]
        assert [int(it[1:]) % 2 for it in names] == batch["label"].tolist()


def test_codes_for_several_bases_are_unknown_where_they_are_masked():
    assert Dna(with_unknown=True).encode("ac guN").tolist() == [1, 2, 3, 4, 0]
    with pytest.raises(UserError, match="letter 'N' is a code for several bases, at place 5"):
        Dna().encode("ACGTN")
    with pytest.raises(UserError, match="letter 'X' is not A, C, G or T"):
        Dna(with_unknown=True).encode("ACGTX")


@needs("rotten_tomatoes")
@needs("splice")
def test_the_real_sets_have_the_published_numbers():
    reviews = reading.describe(options("rotten_tomatoes"), ROOT, HERE)
    assert (reviews.train, reviews.validation, reviews.test) == (8530, 1066, 1066)
    splice = reading.describe(options("splice", folds=10, fold=0), ROOT, HERE)
    assert splice.train + splice.validation + splice.test == 3190
    assert any("may be known by heart" in note for note in splice.notes)


def test_sources_are_listed_with_where_they_are():
    found = sources.build(options("rotten_tomatoes"), Path("/nowhere"), HERE)
    assert found.staging().staged is False
    with pytest.raises(UserError, match="rotten_tomatoes is not staged") as caught:
        found.describe()
    assert "hpcdl data fetch rotten_tomatoes" in caught.value.hint
