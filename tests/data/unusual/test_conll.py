"""CoNLL column files as users have them."""

import gzip

import pytest

from tests.support.unusual_data import Case, check

SENTENCE = "Anna B-PER\nOstrow I-PER\nlives O\nin O\nBerlin B-LOC\n. O\n\n"
BIO = SENTENCE * 12
IOB1 = "Anna I-PER\nOstrow I-PER\nBen B-PER\nin O\nBerlin I-LOC\n. O\n\n" * 12
BIOES = "Anna B-PER\nLee M-PER\nOstrow E-PER\nin O\nBerlin S-LOC\n. O\n\n" * 12


def conll(raw, name="my.conll", **options):
    """What writes a file, in bytes or to be encoded."""

    def make(folder):
        (folder / name).write_bytes(raw if isinstance(raw, bytes) else raw.encode())
        return {"name": "conll", "path": str(folder / name), **options}

    return make


def with_test(raw, held_out, **options):
    def make(folder):
        (folder / "test.conll").write_text(held_out)
        return conll(raw, test_path=str(folder / "test.conll"), **options)(folder)

    return make


def refused(what, make, seen):
    return Case(what, make, "submission", f"data.path: {seen}")


def trains(what, make, seen=""):
    return Case(what, make, "trains", seen)


CASES = [
    refused("a file that is not there", lambda it: {"name": "conll", "path": "x"}, "there is no"),
    refused("an empty file", conll(""), "…my.conll is empty"),
    refused("empty lines alone", conll("\n\n\t\n"), "…my.conll is empty"),
    refused("gzip", conll(gzip.compress(BIO.encode())), "…is compressed by gzip, not a text"),
    refused("Latin-1", conll("Zoé B-PER\n\n".encode("latin-1")), "…my.conll:1: byte 0xe9"),
    refused(
        "a line with fewer columns",
        conll(BIO + "lonely\n"),
        "…my.conll: not 2 columns as in the first line: line 85 has 1",
    ),
    refused(
        "lines with more columns",
        conll(BIO + "New York B-LOC\n" * 2),
        "…not 2 columns as in the first line: line 85 has 3, line 86 has 3",
    ),
    refused(
        "a tab among blanks",
        conll("New York\tB-LOC\n" + BIO),
        "…not 2 columns as in the first line: line 2 has 1",
    ),
    refused("an empty word", conll("\tO\n\nAnna\tB-PER\n" * 9), "…an empty word: line 1, line 4"),
    refused("an empty tag", conll("Anna\t\nin\tO\n" * 9), "…an empty tag: line 1, line 3"),
    refused("a list of words", conll("Anna\nlives\n\n"), "…the same column of 1: line 1"),
    refused("a CSV", conll("Anna,B-PER\nin,O\n"), "…the same column of 1…separated by a tab"),
    refused("a column that is not there", conll(BIO, column=3), "…has 2 columns, and data.column"),
    refused("only comments", conll("# a\n# b\n"), "…has no sentences, only comments"),
    refused(
        "no tag but O",
        conll("Anna O\nlives O\n\n" * 20),
        "…every word to train on has the tag O: there is nothing to learn",
    ),
    refused(
        "one class alone",
        conll("Anna B-PER\n\n" * 20),
        "…every word to train on has the tag B-PER",
    ),
    refused(
        "a zero for the letter O",
        conll(BIO + "in 0\n"),
        "…some tags mark entities, like B-LOC, and some do not: '0' (train, line 85)",
    ),
    refused(
        "tags in lower case",
        conll(BIO.replace("B-", "b-").replace("I-", "i-")),
        "…tags in lower case mark no entities: 'b-PER' (train, line 1), 'i-PER' (train, line 2)",
    ),
    refused("a type without its letter", conll(BIO + "Ulm LOC\n"), "…'LOC' (train, line 85)"),
    refused(
        "a type in the test alone",
        with_test(BIO, "x O\n\nHal B-FILM\n"),
        "…test has tags that no training sentence has: 'B-FILM' (line 3)",
    ),
    Case(
        "a broken test file",
        with_test(BIO, "x\n"),
        "submission",
        "data.test_path: …test.conll: data.word and data.column are the same",
    ),
    trains("one sentence", conll(SENTENCE)),
    trains("tabs, and newlines of Windows", conll(BIO.replace(" ", "\t").replace("\n", "\r\n"))),
    trains("blanks at the ends, and several between", conll(BIO.replace(" ", "   "))),
    trains("no empty line at the end", conll(BIO.rstrip())),
    trains("words with blanks, between tabs", conll("New York\tB-LOC\nin\tO\n\n" * 12)),
    trains(
        "-DOCSTART- lines with tags of their own",
        conll("-DOCSTART- -X- O\n\n" + BIO.replace(" ", " NN ").replace("\n\n", "\n\n")),
        "my.conll: lines that are left out: 1 with -DOCSTART-",
    ),
    trains(
        "comments as in CoNLL-U",
        conll("# id = 1\n# text = Anna Ostrow lives\n" + BIO),
        "my.conll: lines that are left out: 2 with comments",
    ),
    trains("a # as a word", conll("# O\nAnna B-PER\n\n" * 12)),
    trains(
        "an I- without a B-",
        conll(BIO + "Ben I-PER\nand O\nUlm I-LOC\n"),
        "2 tags are an I- without a tag of the same type before them, and are read as B-: train, "
        "line 85, train, line 87",
    ),
    trains("IOB1", conll(IOB1), "IOB1, with a B- only between entities that touch"),
    trains("I- alone (IO)", conll(BIO.replace("B-", "I-")), "the tags are in IO, without a B-"),
    trains("BIOES or BMES", conll(BIOES), "the tags are those of BMES, and are read as BIO"),
    trains(
        "BILOU",
        conll(BIOES.replace("M-", "I-").replace("E-", "L-").replace("S-", "U-")),
        "the tags are those of BILOU, and are read as BIO",
    ),
    trains("B_ and I_", conll(BIO.replace("-", "_"))),
    trains("a bare B and I", conll(BIO.replace("-PER", "").replace("-LOC", ""))),
    trains(
        "parts of speech",
        conll("Anna NOUN\nlives VERB\n\n" * 12),
    ),
    trains(
        "types without letters",
        conll("Anna PER\nlives O\n\n" * 12),
        "the tags mark no entities (B- and I-), so that accuracy counts, and no F1",
    ),
    trains(
        "a sentence without an end",
        conll(BIO + "word O\n" * 700),
        "1 sentence is of more than 256 words, and cut into several",
    ),
    trains("the same sentences in several splits", conll(BIO), "validation and test also in the"),
    trains(
        "a word of many letters, and an emoji",
        conll(BIO + "https://example.org/" + "x" * 400 + " O\n👍🏽 O\n"),
    ),
    trains("UTF-8 with a mark", conll(b"\xef\xbb\xbf" + BIO.encode())),
    trains(
        "a no-break space and a line separator in words",
        conll("a\u2028b\tO\nC\u00a0D\tB-X\n\n" * 12),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_unusual_files_are_refused_with_their_line_or_read(case, tmp_path):
    check(case, tmp_path)
