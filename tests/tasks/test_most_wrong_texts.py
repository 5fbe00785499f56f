"""The texts that a classifier is most wrong about are shown as people read them."""

import pytest
import torch

from hpc_dl.data import tokens
from hpc_dl.jobspec.facts import Feature
from hpc_dl.tasks.pictures.most_wrong_texts import COUNT, MostWrongTexts

WORDS = Feature("int", (None,), ("<unk>", "good", "not", "bad", ","), tokens="words")


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


@pytest.mark.parametrize("kind", ["characters", "bytes", "words", "byte_pairs"])
def test_a_text_is_shown_as_it_was_whatever_the_tokens(kind):
    text = "Ġgantija café 😀"
    made = tokens.fit(kind, [text])
    texts = MostWrongTexts(Feature("int", (None,), made.tokens, tokens=kind))
    ids = torch.from_numpy(made.encode(text))[None]
    batch = {"text": ids, "text_length": torch.tensor([ids.shape[1]]), "label": torch.tensor([1])}
    texts.update(batch, torch.tensor([[0.9, 0.1]]))
    assert texts.artifacts(("a", "b"))["most_wrong"].text == f"a, not b (10.0%)\n    {text}"
