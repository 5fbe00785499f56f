"""A text is divided into contiguous parts, and its vocabulary is that of the training part."""

import os
import subprocess
from pathlib import Path

import pytest
import torch

from hpc_dl.data import text_files
from hpc_dl.data.sources.text import CORIOLANUS, TextSource
from hpc_dl.data.texts import running
from hpc_dl.installed import PYTHON
from hpc_dl.jobspec.facts import DataFacts
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


@pytest.mark.parametrize("kind", ["characters", "bytes", "words", "byte_pairs"])
def test_a_text_is_streamed_as_it_is_held_in_memory(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "AT_ONCE", 100)
    monkeypatch.setattr(running, "AT_ONCE", 150)
    text = "".join(f"line {n} with größer words\r\n" for n in range(99)) + "x" * 400
    options = written(tmp_path, text, length=7, tokens=kind, vocabulary=300)
    held = reading.load(options, tmp_path)
    for _ in range(2):  # written, and read again
        streamed = reading.load(options, tmp_path, workers=0)
        assert streamed.facts == held.facts
        for name in ("train", "validation", "test"):
            one, other = (getattr(it, name) for it in (held, streamed))
            for batch in torch.arange(len(one)).split(5):
                for key, tensor in one.batch(batch).items():
                    assert torch.equal(tensor, other.batch(batch)[key])


def test_the_texts_of_a_folder_follow_each_other_by_name_each_from_its_own_line(tmp_path):
    for name, text in {"b/1.txt": "third\n", "a.txt": "first", "a2.txt": "second"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    source = TextSource(Text(name="text", path=str(tmp_path), length=4), Path())
    assert "".join(source._text()) == "first\nsecond\nthird\n"
    assert [*source.files()] == ["data.path/a.txt", "data.path/a2.txt", "data.path/b/1.txt"]
    assert source.load()[0].train == source.describe().train


@pytest.mark.parametrize("kind", ["characters", "words"])
def test_a_small_text_is_read_once_and_a_large_one_gives_the_same(kind, tmp_path, monkeypatch):
    options = written(tmp_path, "some more or less long text\n" * 99 + "Ü\n", tokens=kind)
    opened, read = [], text_files.read_in_parts
    monkeypatch.setattr(text_files, "read_in_parts", lambda *it: (opened.append(it), read(*it))[1])
    small = TextSource(options, Path())
    facts = small.load()[0]
    assert len(opened) == 1
    monkeypatch.setattr(text_files, "KEPT", 99)
    assert TextSource(options, Path()).load()[0] == facts
    assert len(opened) > 1


@pytest.mark.nightly
def test_a_large_text_is_streamed_in_little_memory(tmp_path):
    file, line = tmp_path / "large.txt", "abcdefghijklmnopqrs\n"
    with file.open("w") as opened:
        for _ in range(64):
            opened.write(line * (2**20 // len(line)))
    options = Text(name="text", path=str(file), loading="streaming", validation=0.01, test=0.01)
    command = """
import resource, sys
from pathlib import Path
import torch
from hpc_dl.data import text_files
from hpc_dl.data.texts import running
from hpc_dl.jobspec.sources.text import Text
from tests.support import reading

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

text_files.AT_ONCE = running.AT_ONCE = 2**18
before = peak()
splits = reading.load(Text.model_validate_json(sys.argv[1]), Path(sys.argv[2]), workers=0)
splits.train.batch(torch.arange(0, len(splits.train), 50_000))
print(len(splits.train), peak() - before)
"""
    words = [*PYTHON, "-c", command, options.model_dump_json(), str(tmp_path)]
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=root, env=env)
    examples, kilobytes = map(int, done.stdout.split())
    assert examples == pytest.approx(64 * 2**20 * 0.98 / 128, rel=1e-3)
    assert kilobytes < 48 * 2**10  # of 64 MiB
