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


@pytest.mark.parametrize("kind", ["bytes", "byte_pairs"])
def test_no_byte_is_unknown(kind):
    made = tokens.fit(kind, ["to be"])
    for text in ("!\0", "Zoë"):
        (ids,) = Prompts(made).batch(text)["text"].tolist()
        assert made.decode(ids) == text


def test_an_unknown_word_and_blanks_alone_are_refused():
    prompts = Prompts(tokens.fit("words", ["to be or"]))
    with pytest.raises(UserError, match="prompt 1: the training text does not have its token 3"):
        prompts.batch("to be a")
    with pytest.raises(UserError, match="prompt 1 is empty"):
        prompts.batch(" ")


def test_bytes_of_another_encoding_are_refused():
    for kind in ("bytes", "byte_pairs"):
        with pytest.raises(UserError, match=r"text 2 is not in UTF-8: caf\\udce9"):
            Prompts(tokens.fit(kind, ["to be"])).batch(["to", "caf\udce9"])


def test_one_string_is_one_prompt():
    assert PROMPTS.batch("to")["text"].tolist() == [[5, 4]]


@pytest.mark.parametrize(
    "given, message",
    [
        (["to", "be or"], r"prompt 2 has 'r' at place 5, a character that the training text does"),
        ([""], "prompt 1 is empty"),
        ([], "the network takes text"),
        ([1.0], "the network takes text"),
        ({"text": ["to"], "label": [1]}, "takes text, but was given text, label"),
    ],
)
def test_what_cannot_be_continued_is_refused(given, message):
    with pytest.raises(UserError, match=message):
        PROMPTS.batch(given)
