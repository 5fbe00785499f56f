"""A prediction takes raw text, and says which character it does not know."""

import numpy as np
import pandas
import pytest

from hpc_dl.data import tokens
from hpc_dl.errors import UserError
from hpc_dl.predictor.prompts import Prompts

PROMPTS = Prompts(tokens.fit("characters", ["to be"]))


@pytest.mark.parametrize(
    "given",
    [
        ["to", "be t"],
        np.array(["to", "be t"]),
        {"text": ["to", "be t"]},
        pandas.DataFrame({"text": ["to", "be t"]}),
        pandas.Series(["to", "be t"]),
    ],
)
def test_prompts_become_padded_token_ids(given):
    batch = PROMPTS.batch(given)
    assert batch["text"].tolist() == [[5, 4, 0, 0], [2, 3, 1, 5]]
    assert batch["text_length"].tolist() == [2, 4]


def test_one_string_is_one_prompt():
    assert PROMPTS.batch("to")["text"].tolist() == [[5, 4]]


@pytest.mark.parametrize(
    "given, message",
    [
        (["to", "be or"], r"prompt 2 has 'r' at place 4, a character that the training text does"),
        ([""], "prompt 1 is empty"),
        ([], "the network takes text"),
        ([1.0], "the network takes text"),
        ({"text": ["to"], "label": [1]}, "takes text, but was given text, label"),
    ],
)
def test_what_cannot_be_continued_is_refused(given, message):
    with pytest.raises(UserError, match=message):
        PROMPTS.batch(given)
