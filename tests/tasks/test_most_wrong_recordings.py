"""The recordings that a classifier is most wrong about: which they are, and their sound."""

import io
import wave

import torch

from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.tasks.classify import Classification
from hpc_dl.tasks.pictures.most_wrong_recordings import PAUSE, MostWrongRecordings

RATE = 1000


def batch(first, lengths):
    """Recordings whose samples are all their number / 100, and garbage behind their ends."""
    numbers = torch.arange(first, first + len(lengths))
    return {
        "audio": (numbers / 100)[:, None].expand(-1, max(lengths) + 3).clone(),
        "audio_length": torch.tensor(lengths),
        "label": torch.zeros(len(lengths), dtype=torch.int64),
        "index": numbers,
    }


def test_the_most_wrong_are_heard_first_each_to_its_end():
    worst = MostWrongRecordings(RATE)
    worst.update(batch(1, [50, 70]), torch.tensor([[0.9, 0.1], [0.2, 0.8]]))
    worst.update(batch(3, [60]), torch.tensor([[0.4, 0.6]]))
    found = worst.artifacts(("yes", "no"))
    heard = found["most_wrong_heard"]
    assert heard.suffix == ".wav"
    assert heard.caption.endswith(": no, not yes; no, not yes; yes")
    with wave.open(io.BytesIO(heard.content)) as file:
        assert (file.getframerate(), file.getnchannels()) == (RATE, 1)
        raw = file.readframes(file.getnframes())
    samples = torch.frombuffer(bytearray(raw), dtype=torch.int16) / 32767
    pause = round(PAUSE * RATE)
    expected = [0.02] * 70 + [0.0] * pause + [0.03] * 60 + [0.0] * pause + [0.01] * 50
    assert torch.allclose(samples[: len(expected)], torch.tensor(expected), atol=1e-3)
    assert [axis.get_title() for axis in found["most_wrong"].figure.axes] == [
        "no, not yes",
        "no, not yes",
        "yes",
    ]


def test_a_classifier_of_recordings_draws_them_beside_its_confusion():
    facts = DataFacts(
        "audio",
        "classify",
        {"audio": Feature("float", (None,), longest=99, rate=float(RATE))},
        {"label": Feature("int", (), ("yes", "no"))},
        *(8, 2, 2),
    )
    task = Classification(facts, None, {})
    drawn = task.pictures([(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), batch(1, [50, 70]))])
    assert set(drawn) == {"confusion", "roc", "most_wrong", "most_wrong_heard"}
