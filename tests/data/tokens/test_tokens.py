"""Tokenizers encode any text, give it back, and are read as they were written."""

import numpy as np
import pytest

from hpc_dl.data import tokens
from hpc_dl.errors import UserError

TEXTS = ["the cat sat on the mat", "the dog, the dog!", "größer 😀 \u3053\u3093\u306b\u3061\u306f"]
STRANGE = ["", "the zebra", "\n\t \r\n", "a\x00b", "😀😀", " two  blanks ", "ÀÉ", "the cat"]
SPECIALS = ("<s>", "</s>")
EXACT = ("characters", "bytes", "byte_pairs")


@pytest.fixture(params=[it for it in tokens.KINDS if it != "dna"])
def kind(request):
    return request.param


@pytest.mark.parametrize("specials", [(), SPECIALS], ids=["plain", "specials"])
def test_a_tokenizer_is_read_as_it_was_written(kind, specials, tmp_path):
    made = tokens.fit(kind, TEXTS, 300, specials)
    (tmp_path / tokens.FILE).write_text(tokens.to_json(made))
    read = tokens.load(tmp_path / tokens.FILE)
    assert (read.tokens, type(read)) == (made.tokens, type(made))
    assert {*specials} <= {*made.tokens}
    for text in TEXTS + STRANGE:
        assert read.encode(text).tolist() == made.encode(text).tolist()
        assert read.encode(text).dtype == np.int64
        assert set(read.encode(text).tolist()) <= set(range(len(made.tokens)))


@pytest.mark.parametrize("exact", EXACT)
def test_decoding_gives_the_text_back(exact):
    made = tokens.fit(exact, TEXTS, None, SPECIALS)
    for text in TEXTS + (STRANGE if exact != "characters" else []):
        ids = made.encode(text).tolist()
        assert made.decode(ids) == text
        assert made.decode([*ids, made.tokens.index("</s>")]) == text


def test_words_are_what_stands_between_blanks():
    made = tokens.fit("words", TEXTS, 4)
    assert made.tokens == ("<unk>", "the", "cat", "dog!")
    assert made.decode(made.encode("the\ndog! the zebra").tolist()) == "the dog! the <unk>"


def test_a_size_keeps_the_most_frequent_tokens():
    assert tokens.fit("characters", ["aab", "bbc"], 3).tokens == ("<unk>", "a", "b")
    assert len(tokens.fit("byte_pairs", TEXTS * 9, 270).tokens) == 270


def test_each_of_many_texts_is_encoded_as_it_is_alone(kind):
    made = tokens.fit(kind, TEXTS)
    together = made.encode_each(TEXTS + STRANGE)
    alone = [made.encode(text) for text in TEXTS + STRANGE]
    assert [it.tolist() for it in together] == [it.tolist() for it in alone]


def test_a_list_of_characters_is_a_file_of_before(tmp_path):
    (tmp_path / tokens.FILE).write_text('["<unk>", "b", "z"]')
    assert tokens.load(tmp_path / tokens.FILE).encode("bzé").tolist() == [1, 2, 0]


@pytest.mark.parametrize("content", [None, "", "{}", "3", '{"kind": "runes"}', '{"kind": "words"}'])
def test_a_damaged_file_is_named(content, tmp_path):
    if content is not None:
        (tmp_path / tokens.FILE).write_text(content)
    with pytest.raises(UserError, match=r"vocabulary\.json cannot be read"):
        tokens.load(tmp_path / tokens.FILE)


@pytest.mark.parametrize("state", ["{}", '{"tokenizer": {}}', '{"tokenizer": {"model": 3}}'])
def test_damaged_byte_pairs_are_named(state, tmp_path):
    (tmp_path / tokens.FILE).write_text(state.replace("{", '{"kind": "byte_pairs", ', 1))
    with pytest.raises(UserError, match=r"vocabulary\.json cannot be read"):
        tokens.load(tmp_path / tokens.FILE)
