"""Line-aligned files of translations as users have them."""

import gzip
import os

import pytest

from tests.support.unusual_data import Case, check

GERMAN = [f"Das ist Satz {number}." for number in range(40)]
ENGLISH = [f"This is sentence {number}." for number in range(40)]


def joined(lines, end="\n"):
    return "".join(f"{line}{end}" for line in lines)


def files(source=None, target=None, more=None, **options):
    """What writes two files, of text or of bytes, and others by their names."""

    def make(folder):
        texts = {
            "train.de": joined(GERMAN) if source is None else source,
            "train.en": joined(ENGLISH) if target is None else target,
            **(more or {}),
        }
        for name, text in texts.items():
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        given = {key: str(folder / it) for key, it in options.items() if key.endswith("path")}
        rest = {key: it for key, it in options.items() if not key.endswith("path")}
        languages = {"source": "de", "target": "en", "tokens": "words"}
        path = {"path": str(folder / "train")}
        return {"name": "parallel", **path, **languages, **given, **rest}

    return make


def put(name, make_it):
    """Two files, of which `make_it` makes one."""

    def make(folder):
        options = files()(folder)
        (folder / name).unlink()
        make_it(folder / name)
        return options

    return make


def refused(what, make, seen):
    return Case(what, make, "submission", f"data.path: {seen}")


def accepted(what, make, seen=""):
    return Case(what, make, "trains", seen)


def without(lines, number):
    return [*lines[:number], "", *lines[number + 1 :]]


CASES = [
    refused("a file that is not there", put("train.en", lambda _: None), "there is no file …en"),
    refused("a folder", put("train.de", os.mkdir), "…train.de is a folder, not a file"),
    refused("a named pipe", put("train.de", os.mkfifo), "…train.de is no regular file, but a pipe"),
    refused("an empty file", files(target=""), "…train.en is empty"),
    refused(
        "one line more than the other",
        files(source=joined([*GERMAN, "Noch einer."])),
        "…train.de has 41 lines, …train.en has 40 lines: line 41 of …train.de has no translation",
    ),
    refused(
        "a translation that is cut off",
        files(target=joined(ENGLISH[:7])),
        "…train.de has 40 lines, …train.en has 7 lines: line 8 of …train.de has no translation",
    ),
    refused(
        "a line without text",
        files(source=joined(without(GERMAN, 4))),
        "no text in the line: …train.de:5\nLeave such a pair out of both files: paste train.de",
    ),
    refused(
        "lines of blanks in both",
        files(source=joined(without(GERMAN, 4)), target=joined([*ENGLISH[:9], " ", *ENGLISH[10:]])),
        "no text in the line: …train.de:5, …train.en:10",
    ),
    refused(
        "Latin-1",
        files(source=joined([*GERMAN[:2], "für", *GERMAN[3:]]).encode("latin-1")),
        "…train.de:3: byte 0xfc at offset",
    ),
    refused("UTF-16", files(target=joined(ENGLISH).encode("utf-16")), "…is in UTF-16, not a text"),
    refused(
        "a compressed file",
        files(source=gzip.compress(joined(GERMAN).encode())),
        "…train.de is compressed by gzip, not a text\nUnpack it",
    ),
    refused(
        "the same text twice",
        files(target=joined(GERMAN)),
        "every translation is the sentence itself\nDo data.source and data.target name two",
    ),
    refused("one pair", files(source="Ja.\n", target="Yes.\n"), "there is one pair to train on"),
    Case(
        "a validation whose translation is missing",
        files(more={"val.de": joined(GERMAN[:3])}, validation_path="val"),
        "submission",
        "data.validation_path: there is no file …val.en",
    ),
    Case(
        "a test of unequal length",
        files(more={"t.de": "a\nb\n", "t.en": "a\n"}, test_path="t"),
        "submission",
        "data.test_path: …t.de has 2 lines, …t.en has 1 lines",
    ),
    refused(
        "a blank line at the end of one file",
        files(source=joined(GERMAN) + "\n"),
        "2 faults\n  no text in the line: …train.de:41",
    ),
    accepted("no newline at the end", files(target=joined(ENGLISH).rstrip("\n"))),
    accepted("newlines of Windows", files(source=joined(GERMAN, "\r\n"))),
    accepted("a byte order mark", files(source=b"\xef\xbb\xbf" + joined(GERMAN).encode())),
    accepted(
        "a line separator of Unicode within a sentence",
        files(source=joined([*GERMAN[:3], "eins\u2028zwei", *GERMAN[4:]])),
    ),
    accepted("tabs and blanks around sentences", files(target=joined(ENGLISH, " \t\n"))),
    accepted(
        "emoji, in characters", files(source=joined([*GERMAN[1:], "😀"]), tokens="characters")
    ),
    accepted(
        "sentences that are longer than they may be",
        files(longest=3),
        "80 of 80 texts have more than 3 tokens and lose their end",
    ),
    accepted(
        "a test that is trained on",
        files(
            more={"t.de": joined([*GERMAN[:2], "Neu."]), "t.en": joined([*ENGLISH[:2], "New."])},
            test_path="t",
        ),
        "2 of the 3 sentences of test are in the training as well",
    ),
    accepted("tokens of bytes", files(tokens="bytes")),
    accepted(
        "a small vocabulary",
        files(vocabulary=8),
        "36 of 160 tokens of the sources are none of the 8 of the vocabulary, and read as <unk>",
    ),
    Case(
        "a vocabulary without room for the ends of a translation",
        files(vocabulary=1),
        "submission",
        "data.vocabulary 1: with tokens: words it is 4 at least",
    ),
    refused(
        "files packed by gzip",
        put("train.de", lambda it: it.with_name("train.de.gz").touch()),
        "there is no file …train.de\nUnpack it: gunzip …train.de.gz",
    ),
    refused(
        "the name of one of the files",
        lambda folder: {**files()(folder), "path": str(folder / "train.en")},
        "there is no file …train.en.de\nWithout the name of a language: data.path: …train",
    ),
    refused(
        "the folder of the files",
        lambda folder: {**files()(folder), "path": str(folder)},
        "there is no file …\nThe files are data.path, a dot, and data.source or data.target.",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)
