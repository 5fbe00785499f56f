"""Raw texts are encoded for a prediction as they were for the training."""

import pytest

from hpc_dl.data.tokens.dna import Dna
from hpc_dl.data.tokens.lowercase_words import LowercaseWords
from hpc_dl.errors import UserError
from hpc_dl.predictor.texts import Texts

WORDS = Texts(LowercaseWords(("<unk>", "good", "not", ",")), 4)


def test_unknown_words_are_unknown_and_texts_are_padded():
    batch = WORDS.batch(["Not GOOD", "good, surely"])
    assert batch["text"].tolist() == [[2, 1, 0], [1, 3, 0]]
    assert batch["text_length"].tolist() == [2, 3]


def test_a_column_and_a_single_text_are_taken():
    import pandas

    one, column = WORDS.batch("good"), WORDS.batch(pandas.DataFrame({"review": ["good"]}))
    assert one["text"].tolist() == column["text"].tolist() == [[1]]
    with pytest.raises(UserError, match="was given review, stars") as caught:
        WORDS.batch(pandas.DataFrame({"review": ["good"], "stars": [1]}))
    assert caught.value.hint == "Give one column: predict(given['review'])."


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_text_is_refused(text):
    with pytest.raises(UserError, match="text 2 is empty"):
        WORDS.batch(["good", text])


def test_the_end_of_a_longer_text_is_lost_with_a_warning():
    with pytest.warns(UserWarning, match="the first is text 2, have more tokens than the 4"):
        batch = WORDS.batch(["good", "good, not good, not"])
    assert batch["text_length"].tolist() == [1, 4]


def test_texts_without_a_known_word_are_warned_of():
    with pytest.warns(UserWarning, match=r"1 of 3 texts, the first is text 2, have no token"):
        WORDS.batch(["good", "xyzzy plugh", "good xyzzy"])


def test_dna_is_taken_in_any_case_and_a_letter_that_is_no_base_is_refused():
    bases = Texts(Dna(), 9)
    assert bases.batch("acGU")["text"].tolist() == [[0, 1, 2, 3]]
    with pytest.raises(UserError, match="text 1: letter 'N' is a code for several bases"):
        bases.batch("ACGN")
