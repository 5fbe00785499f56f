"""The texts that a classifier is most wrong about are shown as people read them."""

import torch

from hpc_dl.tasks.pictures.most_wrong_texts import COUNT, MostWrongTexts
from hpc_dl.tasks.pictures.spelling import spell

WORDS = ("<unk>", "good", "not", "bad", ",")


def test_the_most_wrong_text_comes_first_and_right_ones_are_left_out():
    texts = MostWrongTexts(WORDS)
    batch = {
        "text": torch.tensor([[1, 0, 0], [2, 3, 0], [3, 4, 2]]),
        "text_length": torch.tensor([1, 2, 3]),
        "label": torch.tensor([1, 1, 0]),
    }
    texts.update(batch, torch.tensor([[0.1, 0.9], [0.6, 0.4], [0.2, 0.8]]))
    shown = texts.artifacts(("negative", "positive"))["most_wrong"].text
    assert shown.split("\n\n") == [
        "positive, not negative (20.0%)\n    bad , not",
        "negative, not positive (40.0%)\n    not bad",
    ]


def test_as_many_are_kept_whatever_the_batches():
    texts = MostWrongTexts(WORDS)
    for start in range(0, 3 * COUNT, 8):
        right = torch.arange(start, start + 8) / (10 * COUNT)
        batch = {
            "text": torch.full((8, 1), 1),
            "text_length": torch.ones(8, dtype=torch.int64),
            "label": torch.zeros(8, dtype=torch.int64),
        }
        texts.update(batch, torch.stack([right, 1 - right], dim=1))
    assert [round(it[0] * 10 * COUNT) for it in texts.kept] == list(range(COUNT))


def test_tokens_are_spelt_as_the_text_was():
    assert spell(torch.tensor([1, 2]), WORDS) == "good not"
    assert spell(torch.tensor([1, 2, 0]), ("<unk>", "A", "C")) == "AC<unk>"
    assert spell(torch.tensor([0, 1]), ("un", "Ġdone")) == "un done"
