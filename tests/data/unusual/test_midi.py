"""MIDI files as users have them."""

import mido
import pytest

from tests.support.unusual_data import Case, check

ON, OFF = "note_on", "note_off"
SCALE = [(ON, 60, 0), (OFF, 60, 480), (ON, 62, 0), (OFF, 62, 480)]


def track(events, channel=0):
    return mido.MidiTrack(
        [mido.Message(kind, note=note, time=time, channel=channel) for kind, note, time in events]
    )


def written(*tracks, kind=1):
    def write(file):
        mido.MidiFile(type=kind, tracks=list(tracks)).save(file)

    return write


def folder_of(**files):
    """What writes 20 scales, and further files by name: bytes, or what writes them."""

    def make(folder):
        for number in range(20):
            written(track(SCALE))(folder / f"{number}.mid")
        for name, content in files.items():
            file = folder / f"{name}.mid"
            file.write_bytes(content) if isinstance(content, bytes) else content(file)
        return {"name": "midi", "path": str(folder)}

    return make


def nested(folder):
    (folder / "bach" / "wtc").mkdir(parents=True)
    for number in range(20):
        written(track(SCALE))(folder / "bach" / "wtc" / f"{number}.MIDI")
    return {"name": "midi", "path": str(folder)}


def by_split(*folders, stray=()):
    """What writes 20 scales into each of some folders, and others beside these."""

    def make(root):
        for folder in folders:
            (root / folder).mkdir()
            for number in range(20):
                written(track(SCALE))(root / folder / f"{number}.mid")
        for name in stray:
            written(track(SCALE))(root / name)
        return {"name": "midi", "path": str(root)}

    return make


def hidden(folder):
    """Which macOS leaves beside files on other disks."""
    made = nested(folder)
    (folder / "bach" / "wtc" / "._0.mid").write_bytes(b"\0\5\x16\7")
    return made


def with_division(high, low):
    """A file whose ticks have another length."""

    def write(file):
        written(track(SCALE))(file)
        content = file.read_bytes()
        file.write_bytes(content[:12] + bytes([high, low]) + content[14:])

    return write


def refused(what, make, seen):
    return Case(what, make, "submission", f"data.path: {seen}")


WHOLE = b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0"
CASES = [
    Case("files in folders, with .MIDI in capitals", nested, "trains"),
    Case(
        "several tracks",
        folder_of(two=written(track(SCALE), track([(ON, 48, 0), (OFF, 48, 960)]))),
        "trains",
    ),
    Case(
        "notes that end by a velocity of 0",
        folder_of(
            old=written(
                mido.MidiTrack(
                    [
                        mido.Message(ON, note=60, velocity=64),
                        mido.Message(ON, note=60, velocity=0, time=480),
                    ]
                )
            )
        ),
        "trains",
    ),
    Case(
        "a note that never ends",
        folder_of(held=written(track([(ON, 60, 0), (ON, 62, 480), (OFF, 62, 480)]))),
        "trains",
    ),
    Case(
        "a note that lasts no time",
        folder_of(short=written(track([(ON, 60, 0), (OFF, 60, 0)]))),
        "trains",
    ),
    Case(
        "notes that no piano has",
        folder_of(low=written(track([*SCALE, (ON, 5, 0), (OFF, 5, 480)]))),
        "trains",
        "1 notes are on no key of a piano, and left out",
    ),
    Case(
        "folders of splits",
        by_split("train", "valid", "test"),
        "trains",
        "names of folders: train, validation, test",
    ),
    refused(
        "a file beside folders of splits",
        by_split("train", "test", stray=["more.mid"]),
        "…has folders of splits, and …more.mid lies in none of them",
    ),
    refused(
        "no folder to train on", by_split("test", "valid"), "… has test, validation but no train"
    ),
    Case("hidden files of macOS", hidden, "trains"),
    Case(
        "drums beside notes",
        folder_of(band=written(track(SCALE), track(SCALE, channel=9))),
        "trains",
        "2 notes of drums are left out",
    ),
    Case(
        "notes between two frames",
        folder_of(swing=written(track([(ON, 60, 50), (OFF, 60, 480)]))),
        "trains",
        "1 of 41 notes begin between two frames, and are moved to the nearest",
    ),
    refused(
        "ticks of no length",
        folder_of(zero=with_division(0, 0)),
        "…zero.mid does not say how long a quarter note is",
    ),
    refused(
        "ticks of the frames of a film",
        folder_of(film=with_division(0xE7, 0x28)),
        "…film.mid does not say how long a quarter note is",
    ),
    refused(
        "a folder that is not there",
        lambda it: {"name": "midi", "path": str(it / "no")},
        "there is no folder …no",
    ),
    refused(
        "a folder without MIDI",
        lambda it: {"name": "midi", "path": str(it)},
        "…has no files .mid or .midi",
    ),
    refused(
        "a file in place of a folder",
        lambda it: (
            (it / "a.mid").write_bytes(WHOLE) and {"name": "midi", "path": str(it / "a.mid")}
        ),
        "there is no folder …a.mid",
    ),
    refused(
        "a MIDI file without notes", folder_of(mute=written(track([]))), "…mute.mid has no notes"
    ),
    refused(
        "drums alone",
        folder_of(drums=written(track(SCALE, channel=9))),
        "…drums.mid has no notes but the 2 of drums",
    ),
    refused(
        "notes beyond a piano alone",
        folder_of(low=written(track([(ON, 5, 0), (OFF, 5, 480)]))),
        "…low.mid has no notes on the keys of a piano",
    ),
    refused("an empty file", folder_of(empty=b""), "…empty.mid is no readable MIDI file"),
    refused(
        "a file of text called .mid",
        folder_of(text=b"not music\n"),
        "…text.mid is no readable MIDI file",
    ),
    refused(
        "a truncated file",
        folder_of(cut=WHOLE + b"MTrk\x00\x00\x01\x00\x00\x90"),
        "…cut.mid is no readable MIDI file: it ends too early",
    ),
    refused(
        "several pieces in one file",
        folder_of(many=written(track(SCALE), kind=2)),
        "…many.mid is of MIDI's type 2: several pieces",
    ),
    refused(
        "a note of two days",
        folder_of(long=written(track([(ON, 60, 0), (OFF, 60, 2**27)]))),
        "…long.mid is 1118481 frames long, more than 200000",
    ),
    Case(
        "two files at fault",
        folder_of(a=b"", b=written(track([]))),
        "submission",
        "2 faults…a.mid is no readable MIDI file…b.mid has no notes",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_midi(case, tmp_path):
    check(case, tmp_path)
