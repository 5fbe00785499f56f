"""Piano rolls in JSON as users have them."""

import json
import pickle

import pytest

from tests.support.unusual_data import Case, check

PIECE = [[60, 64, 67], [], [62], [62, 65]]
PIECES = [PIECE] * 20


def rolls(found, name="my.json", **options):
    """What writes a file, of JSON or of a text as it is."""

    def make(folder):
        text = found if isinstance(found, str | bytes) else json.dumps(found)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return {"name": "piano_rolls", "path": str(folder / name), **options}

    return make


def refused(what, make, seen):
    return Case(what, make, "submission", f"data.path: {seen}")


CASES = [
    Case("pieces without splits of their own but train", rolls({"train": PIECES}), "trains"),
    Case(
        "the splits of the field, with `valid`",
        rolls({"train": PIECES, "valid": [PIECE], "test": [PIECE]}),
        "trains",
    ),
    Case("pitches as floats", rolls({"train": [[[60.0], [62.0]]] * 20}), "trains"),
    Case("pieces longer than an example", rolls({"train": PIECES}, length=3), "trains"),
    Case(
        "long pieces whose states are carried over",
        rolls({"train": PIECES}, length=2, carry_state=True),
        "trains",
    ),
    refused(
        "a file that is not there",
        lambda folder: {"name": "piano_rolls", "path": str(folder / "no.json")},
        "there is no file …no.json",
    ),
    refused(
        "a pickle, as the data sets are also shared",
        rolls(pickle.dumps({"train": PIECES}), "jsb.pickle"),
        "…jsb.pickle is a pickle, which can run any program when it is read…Convert one",
    ),
    refused("an empty file", rolls(""), "…my.json is no readable JSON: "),
    refused("a truncated file", rolls('{"train": [[[60,'), "…my.json is no readable JSON: "),
    refused("a text that is no UTF-8", rolls(b'{"train": "\xff"}'), "…is no readable JSON: "),
    refused("a list of pieces alone", rolls(PIECES), "…my.json is no mapping: it needs lists"),
    Case("with a mark of UTF-8", rolls("\ufeff" + json.dumps({"train": PIECES})), "trains"),
    Case("a test without a note", rolls({"train": PIECES, "test": [[[], []]]}), "trains"),
    refused(
        "two validation splits",
        rolls({"train": PIECES, "valid": [PIECE], "validation": [PIECE]}),
        "…my.json has the validation split twice: 'valid' and 'validation'",
    ),
    refused("no train", rolls({"test": PIECES}), "…my.json has 'test': it needs lists of pieces"),
    refused(
        "a split that is none",
        rolls({"train": PIECES, "dev2": PIECES}),
        "…my.json has an unknown split 'dev2'",
    ),
    refused(
        "a split without pieces",
        rolls({"train": PIECES, "valid": []}),
        "…my.json: the split 'valid' has no pieces",
    ),
    refused(
        "an empty piece",
        rolls({"train": [*PIECES, []]}),
        "…pieces that are no lists of frames, or empty ones: train, piece 20",
    ),
    refused(
        "frames that are pitches",
        rolls({"train": [*PIECES, [60, 62]]}),
        "…frames that are no lists of pitches: train, piece 20, frame 0",
    ),
    refused(
        "names of notes",
        rolls({"train": [*PIECES, [["C4"]]]}),
        "…pitches that are no whole numbers, like 'C4': train, piece 20, frame 0",
    ),
    refused(
        "a pitch with a fraction",
        rolls({"train": [*PIECES, [[60.5]]]}),
        "…pitches that are no whole numbers, like 60.5: train, piece 20, frame 0",
    ),
    refused(
        "pitches that a piano does not have",
        rolls({"train": [*PIECES, [[60], [12]], [[127]]]}),
        "…pitches outside 21 to 108, the keys of a piano: train, piece 20, frame 1 has 12, train, "
        "piece 21, frame 0 has 127",
    ),
    refused(
        "pieces without a note",
        rolls({"train": [[[], []]] * 20}),
        "…my.json: the pieces to train on have no notes",
    ),
    Case(
        "one piece alone",
        rolls({"train": [PIECE]}),
        "submission",
        "…left to train on",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_piano_rolls(case, tmp_path):
    check(case, tmp_path)
