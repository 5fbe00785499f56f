"""Texts and sequences of DNA with a class each, as users have them."""

import gzip

import pytest

from tests.support.unusual_data import Case, check


def table(content, **options):
    """What writes a CSV file of texts."""

    def make(folder):
        file = folder / "my.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return {"name": "text_csv", "path": str(file), **options}

    return make


def files(**texts):
    """What writes a folder of texts; `__` in a name is a slash."""

    def make(folder):
        for name, content in texts.items():
            file = folder / "texts" / f"{name.replace('__', '/')}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return {"name": "text_folder", "root": str(folder / "texts")}

    return make


def fasta(content, name="my.fa", labels=None, **options):
    """What writes a FASTA file, and a table of labels."""

    def make(folder):
        file = folder / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        if labels is not None:
            (folder / "labels.csv").write_text(labels)
            options["labels"] = str(folder / "labels.csv")
        return {"name": "fasta", "path": str(file), **options}

    return make


ROWS = "".join(f'"text {n}, good",{"pos" if n % 2 else "neg"}\n' for n in range(20))
MANY = {f"{kind}__{n}": f"{kind} text {n}" for kind in ("bad", "good") for n in range(6)}
DNA = "".join(f">s{n} {'site' if n % 2 else 'none'}\nACGT\n" for n in range(20))


def refused(what, make, seen):
    return Case(what, make, "submission", seen)


CASES = [
    refused(
        "texts: another name of the column",
        table("review,label\n" + ROWS),
        "data.text: …my.csv has no column 'text'\nIt has: review, label.",
    ),
    refused(
        "texts: a row without a text",
        table("text,label\n" + ROWS + ",pos\n"),
        "column 'text', a text, has 1 gap: row 21 after the header\nFill them in; data.missing: "
        "drop",
    ),
    refused(
        "texts: a text of blanks alone",
        table('text,label\n"  ",pos\n' + ROWS),
        "column 'text', a text, has 1 gap: row 1 after the header",
    ),
    refused(
        "texts: a row without a class",
        table('text,label\n"fine",\n' + ROWS),
        "column 'label', a class, has 1 gap: row 1 after the header",
    ),
    Case(
        "texts: gaps, with missing: drop",
        table("text,label\n,pos\n" + ROWS, missing="drop"),
        "trains",
        "1 of 21 rows are left out for their gaps: 1 in 'text'",
    ),
    refused(
        "texts: one class alone",
        table("text,label\na,pos\nb,pos\nc,pos\n"),
        "data.target: 'label' is 'pos' in all rows: a single class",
    ),
    refused(
        "texts: text and target the same column",
        table("text,label\n" + ROWS, target="text"),
        "data.target: 'text' is named in data.text, too",
    ),
    refused(
        "texts: the classes are the texts",
        table("label,text\n" + ROWS),
        "data.target: 'label' has 20 values in 20 rows: hardly classes",
    ),
    Case("texts: newlines within quotes", table('text,label\n"a\nb",pos\n' + ROWS), "trains"),
    Case("texts: numbers alone as texts", table("text,label\n1,pos\n2,neg\n" + ROWS), "trains"),
    Case(
        "texts: other columns",
        table("text,label,id\n" + ROWS.replace("\n", ",7\n")),
        "trains",
        "columns that are not read: id",
    ),
    refused(
        "texts: a file in Latin-1",
        table(("text,label\ncafé,pos\n" + ROWS).encode("latin-1")),
        "not UTF-8: line 2 …data.encoding names another",
    ),
    Case(
        "texts: a file in Latin-1, said",
        table(("text,label\ncafé,pos\n" + ROWS).encode("latin-1"), encoding="latin-1"),
        "trains",
    ),
    refused(
        "a folder of texts: an empty file",
        files(**MANY, bad__x=""),
        "data.root: …x.txt is empty",
    ),
    refused(
        "a folder of texts: a file of blanks",
        files(**MANY, bad__x=" \n\n"),
        "x.txt is empty",
    ),
    refused(
        "a folder of texts: bytes that are not UTF-8",
        files(**MANY, bad__x="fine\nno café here".encode("latin-1")),
        "x.txt:2: byte 0xe9 at offset 11 is not UTF-8",
    ),
    refused(
        "a folder of texts: one class alone", files(a__1="x", a__2="y"), "has one class alone, 'a'"
    ),
    refused(
        "a folder of texts: no folders of classes",
        files(one="x", two="y"),
        "has no folder for a class: 2 texts lie directly in it",
    ),
    refused(
        "a folder of texts: no text in a class",
        lambda folder: (files(**MANY)(folder), (folder / "texts" / "ugly").mkdir())[0],
        "has no text of class ugly\nKnown are .txt.",
    ),
    Case(
        "a folder of texts: IMDB's, with unsup",
        files(
            **{f"train__{name}": text for name, text in MANY.items()},
            **{f"test__{name}": f"other {text}" for name, text in MANY.items()},
            train__unsup__1="?",
        ),
        "trains",
        "not read in train: unsup/",
    ),
    Case(
        "a folder of texts: the same text several times",
        files(**dict.fromkeys(MANY, "the same")),
        "trains",
        "texts that are in the training split, too, and may be known by heart",
    ),
    refused("FASTA: an empty file", fasta(""), "data.path: …my.fa is empty"),
    refused(
        "FASTA: a header without a class",
        fasta(DNA + ">lonely\nACGT\n"),
        "headers without a class: line 41 ('lonely')\nBy default it is the last word",
    ),
    refused(
        "FASTA: a header without a sequence",
        fasta(">a none\n" + DNA),
        "headers without a sequence: line 1 ('a none')",
    ),
    refused(
        "FASTA: a letter that is no base",
        fasta(DNA + ">x site\nACGT\nAC-T\n"),
        "letter '-' is not A, C, G or T: line 43 (base 3)",
    ),
    refused(
        "FASTA: a name in Latin-1",
        fasta((DNA + ">café site\nACGT\n").encode("latin-1")),
        "not UTF-8: line 41 …Convert it: iconv -f windows-1252",
    ),
    refused("FASTA: a protein", fasta(DNA + ">x site\nMKLEF\n"), "Proteins are not read."),
    refused(
        "FASTA: N, of unknown bases",
        fasta(DNA + ">x site\nACNN\n"),
        "letter 'N' is a code for several bases: line 42 (base 3)\ndata.ambiguous: mask reads",
    ),
    Case(
        "FASTA: N, masked",
        fasta(DNA + ">x site\nACNN\n", ambiguous="mask"),
        "trains",
        "2 letters are codes for several bases, and read as unknown",
    ),
    Case(
        "FASTA: soft-masked in lower case, and U of RNA",
        fasta(DNA.lower() + ">x site\nacgu\n"),
        "trains",
    ),
    Case("FASTA: packed by gzip", fasta(gzip.compress(DNA.encode()), "my.fa.gz"), "trains"),
    refused(
        "FASTA: a packed file that is cut off",
        fasta(gzip.compress(DNA.encode())[:-20], "my.fa.gz"),
        "data.path: …my.fa.gz is no readable gzip file",
    ),
    refused("FASTA: FASTQ", fasta("@read1\nACGT\n+\nIIII\n"), "is FASTQ\nseqtk seq -a"),
    refused(
        "FASTA: a sequence without a header",
        fasta("ACGT\n" + DNA),
        "my.fa:1 is no FASTA: a sequence stands before the first header",
    ),
    refused(
        "FASTA: a web page instead of the file",
        fasta("<!doctype html><html></html>"),
        "is a web page, not FASTA",
    ),
    refused(
        "FASTA: one class alone",
        fasta(DNA.replace("none", "site")),
        "every label is 'site': there is nothing to learn",
    ),
    refused(
        "FASTA: the last word is no class",
        fasta("".join(f">s {n}\nACGT\n" for n in range(20))),
        "20 labels of 20 examples, such as '0' and '1', are hardly classes",
    ),
    refused(
        "FASTA: a table of labels without some sequence",
        fasta(">a\nACGT\n>b\nACGT\n", labels="id,label\na,x\n"),
        "sequences that data.labels does not have: 'b' (line 3)",
    ),
    refused(
        "FASTA: a table of labels with an id twice",
        fasta(">a\nACGT\n", labels="id,label\na,x\na,y\n"),
        "data.labels: …ids that several rows have: a",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)
