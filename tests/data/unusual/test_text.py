"""Texts as users have them."""

import gzip
import os

import pytest

from tests.support.unusual_data import Case, check

LINES = "".join(f"line {number} of a text with some words\n" for number in range(40))


def text(raw, **options):
    """What writes a text, in bytes or to be encoded."""

    def make(folder):
        (folder / "my.txt").write_bytes(raw if isinstance(raw, bytes) else raw.encode())
        return {"name": "text", "path": str(folder / "my.txt"), "length": 16, **options}

    return make


def folder(files):
    """What writes a folder of texts."""

    def make(place):
        (place / "my").mkdir()
        for name, content in files.items():
            (place / "my" / name).write_text(content)
        return {"name": "text", "path": str(place / "my"), "length": 16}

    return make


def at(name, put):
    def make(folder):
        put(folder / name)
        return {"name": "text", "path": str(folder / name)}

    return make


def refused(what, make, seen):
    return Case(what, make, "submission", f"data.path: {seen}")


CASES = [
    refused("a file that is not there", at("x.txt", lambda _: None), "there is no file …x.txt"),
    refused(
        "an empty folder",
        at("texts", os.mkdir),
        "…texts is a folder without a text\nName a file, or a folder of files whose names end with "
        ".txt.",
    ),
    refused("a named pipe", at("pipe.txt", os.mkfifo), "…pipe.txt is no regular file, but a pipe"),
    refused(
        "a broken link",
        at("link.txt", lambda it: it.symlink_to("gone.txt")),
        "…link.txt is a link to gone.txt, which is not there",
    ),
    refused("an empty file", text(""), "…my.txt is empty"),
    refused("newlines alone", text("\n\n \n"), "…my.txt is empty"),
    refused(
        "a few characters",
        text("short"),
        "…my.txt has 5 characters, of which validation gets 0: it needs two",
    ),
    refused("the same character everywhere", text("a" * 400), "…every character to train on is"),
    refused(
        "Latin-1",
        text("fine\nstill fine\nno café\n".encode("latin-1")),
        "…my.txt:3: byte 0xe9 at offset 22 is not UTF-8\nConvert it from its encoding, like",
    ),
    refused("UTF-16", text(LINES.encode("utf-16")), "…is in UTF-16, not a text…iconv -f utf-16"),
    refused("UTF-32", text(LINES.encode("utf-32")), "…is in UTF-32, not a text…iconv -f utf-32"),
    refused(
        "UTF-16 without a mark",
        text(LINES.encode("utf-16-le")),
        "…byte 1 of … is 0, as in programs…iconv -f utf-16le",
    ),
    refused(
        "a text that is cut off within a character",
        text(("日本語\n" * 9).encode()[:-2]),
        "…my.txt:9 ends within a character\nIs it cut off?",
    ),
    refused("a text packed by zstd", text(b"\x28\xb5\x2f\xfd" + b"x" * 99), "…unzstd FILE"),
    refused("a text packed by gzip", text(gzip.compress(b"text")), "…is compressed by gzip…gunzip"),
    refused("a document of Word", text(b"PK\x03\x04" + b"x" * 99), "…is a zip archive, as .docx"),
    refused("a PDF", text(b"%PDF-1.7\n"), "…is a PDF, not a text\nConvert it: pdftotext"),
    refused("a program", text(b"ELF" + bytes(99)), "…is no text: byte 3 of 102 is 0"),
    Case("a byte order mark", text(b"\xef\xbb\xbf" + LINES.encode()), "trains"),
    Case("newlines of Windows", text(LINES.replace("\n", "\r\n")), "trains"),
    Case("emoji", text(LINES + "😀" * 300), "trains", "read as <unk>: '😀'"),
    Case("emoji as bytes", text(LINES + "😀" * 300, tokens="bytes"), "trains"),
    Case(
        "words that only the end has",
        text(LINES, tokens="words"),
        "trains",
        "11 tokens of validation and test are none of the training part's",
    ),
    *(
        Case(
            f"a vocabulary without room for {kind}",
            text(LINES, tokens=kind, vocabulary=size - 1),
            "submission",
            f"data.vocabulary {size - 1}: with tokens: {kind} it is {size} at least",
        )
        for kind, size in (("characters", 2), ("words", 2), ("byte_pairs", 256))
    ),
    Case(
        "a folder of texts",
        folder({"b.txt": LINES, "a.txt": LINES, "cover.jpg": "?"}),
        "trains",
        "texts that follow each other: a.txt, b.txt; 1 files of other names are not read",
    ),
    refused(
        "a folder without a text", folder({"a.pdf": "?"}), "…my is a folder without a text\nName a "
    ),
    refused(
        "a folder with an empty text", folder({"a.txt": LINES, "b.txt": ""}), "…b.txt is empty"
    ),
    Case(
        "fewer characters than an example has",
        text(LINES, length=1000),
        "trains",
        "the validation part has … characters, fewer than the 1000 of an example",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)
