"""A text is divided into contiguous parts, and its vocabulary is that of the training part."""

from pathlib import Path

import torch

from hpc_dl.data.sources.text import CORIOLANUS, TextSource
from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.sources.text import Text
from tests.support import reading


def written(folder, text, **options):
    file = folder / "my.txt"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Text(name="text", path=str(file), **options)


def load(options):
    return reading.load(options, Path(), Path(), None)


def read(split, vocabulary):
    """The inputs and the targets of all examples, joined again."""
    batch = split.batch(torch.arange(len(split)))
    assert torch.equal(batch["text_length"], batch["next_length"])
    return [
        "".join(
            vocabulary[token]
            for row, end in zip(batch[name].tolist(), batch["text_length"].tolist(), strict=True)
            for token in row[:end]
        )
        for name in ("text", "next")
    ]


def test_the_parts_follow_each_other_and_every_character_but_the_first_is_predicted_once():
    splits = load(Text(name="text", length=50))
    text = CORIOLANUS.read_text()
    test = validation = round(len(text) * 0.1)
    ends = (0, len(text) - test - validation, len(text) - test, len(text))
    vocabulary = splits.facts.inputs["text"].vocabulary
    for split, start, end in zip(
        (splits.train, splits.validation, splits.test), ends[:-1], ends[1:], strict=True
    ):
        known = [it if it in vocabulary else "<unk>" for it in text[start:end]]
        given, wanted = read(split, vocabulary)
        assert (given, wanted) == ("".join(known[:-1]), "".join(known[1:]))
    assert (len(splits.train), splits.facts.train) == (-(-(ends[1] - 1) // 50),) * 2
    assert splits.facts.shape == (50,)


def test_a_description_needs_no_torch_and_is_that_of_the_examples(tmp_path):
    options = written(tmp_path, "some more or less long text\r\n" * 9, length=4)
    assert load(options).facts == reading.describe(options, Path(), Path())


def test_the_vocabulary_is_of_the_training_part_and_what_it_lacks_is_unknown(tmp_path):
    options = written(tmp_path, "abba" * 20 + "abcé" * 5, test=0.1, validation=0.1)
    splits = load(options)
    assert splits.facts.inputs["text"].vocabulary == ("<unk>", "a", "b")
    assert splits.facts.outputs == 3
    batch = splits.test.batch(torch.tensor([0]))
    assert batch["text"].tolist() == [[0, 0, 1, 2, 0, 0, 1, 2, 0]]
    note, *_ = splits.facts.notes
    assert note.startswith("10 characters of validation and test")
    assert note.endswith("<unk>: 'c', 'é'")


def test_the_vocabulary_is_kept_beside_the_run():
    splits = load(Text(name="text"))
    assert set(splits.assets) == {"vocabulary.json"}


def test_its_bytes_are_those_of_the_file_or_of_the_shipped_text(tmp_path):
    options = written(tmp_path, "a text")
    assert TextSource(options, tmp_path).files() == {"data.path": tmp_path / "my.txt"}
    assert TextSource(Text(name="text"), tmp_path).files() == {"coriolanus": CORIOLANUS}


def test_facts_say_that_examples_differ_in_length():
    facts: DataFacts = TextSource(Text(name="text"), Path()).describe()
    assert facts.inputs["text"].shape == (None,)
    assert (facts.modality, facts.task) == ("text", "predict_next")
