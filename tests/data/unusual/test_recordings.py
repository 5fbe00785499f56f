"""Recordings as users have them."""

import gzip
import os
import struct

import numpy as np
import pytest

from tests.support.recordings import FLOAT, RATE, folder_of_recordings, riff, tone, wav
from tests.support.unusual_data import Case, check

SOUND = tone(300, 800)
FORM = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)


def folder(put, **options):
    """What writes a folder of good recordings, and changes it."""

    def make(path):
        root = folder_of_recordings(path / "sounds", 12)
        put(root)
        return {"name": "audio_folder", "root": str(root), **options}

    return make


def one(raw, name="low/x.wav", **options):
    """What adds one file of these bytes."""
    return folder(lambda root: (root / name).write_bytes(raw), **options)


def compressed(tag):
    return b"fmt " + struct.pack("<IHHIIHH", 16, tag, 1, RATE, RATE, 1, 8)


def streamed(samples, more=b""):
    """A wav file written to a pipe, whose header has no length."""
    return riff(FORM + more, samples, 0xFFFFFFFF)


def refused(what, make, seen):
    return Case(what, make, "submission", f"recordings that are not read: {seen}")


def only(*files):
    """A folder with these alone."""

    def make(path):
        for name, raw in files:
            (path / "sounds" / name).parent.mkdir(parents=True, exist_ok=True)
            (path / "sounds" / name).write_bytes(raw)
        return {"name": "audio_folder", "root": str(path / "sounds")}

    return make


def exchanged(path):
    (path / "sounds" / "low" / "000.wav").write_bytes(wav(tone(300, 3)))


FLOATS = wav(tone(300, 900), bits=32, kind=FLOAT)
NOT_A_NUMBER = np.where(np.arange(800) == 7, np.nan, SOUND[:, 0])
CASES = [
    refused("an empty file", one(b""), "empty: low/x.wav"),
    refused("a wav file without samples", one(wav(SOUND[:0])), "no samples: low/x.wav"),
    refused("a wav file that is cut off", one(wav(SOUND)[:-99]), "cut off, or with a false length"),
    refused(
        "a wav file that is cut off within its header",
        one(wav(SOUND)[:30]),
        "a damaged header: low/x.wav",
    ),
    refused(
        "a wav file that was written to a pipe",
        one(streamed(bytes(600))),
        "cut off, or with a false length in the header: low/x.wav…ffmpeg -i OLD NEW.wav",
    ),
    refused("a text called .wav", one(b"hello\n"), "text: low/x.wav"),
    refused("a web page called .wav", one(b"<!DOCTYPE html>"), "a web page…Download them again"),
    refused(
        "a pointer of Git LFS",
        one(b"version https://git-lfs.github.com/spec/v1\n"),
        "a pointer of Git LFS: low/x.wav…`git lfs pull`",
    ),
    refused("an MP3 called .wav", one(b"ID3\x03" + bytes(99)), "MP3: low/x.wav…ffmpeg -i OLD"),
    refused("an M4A called .wav", one(b"\0\0\0\x20ftypM4A " + bytes(99)), "MP4 or M4A: low/x.wav"),
    refused("a packed wav", one(gzip.compress(wav(SOUND))), "an archive…Unpack it"),
    refused("zeros, as a crash leaves them", one(bytes(900)), "zeros, as a full disk or a crash"),
    refused("a telephone's A-law", one(riff(compressed(6), bytes(99))), "compressed by A-law"),
    refused("ADPCM", one(riff(compressed(17), bytes(99))), "compressed by ADPCM…-c:a pcm_s16le"),
    refused(
        "another rate",
        one(wav(tone(300, 800, 16000), 16000)),
        "16000 samples a second, not 8000: low/x.wav…data.sample_rate: 8000 resamples all",
    ),
    refused(
        "stereo",
        one(wav(tone(300, 800, channels=2))),
        "2 channels, not one: low/x.wav…data.mix: true",
    ),
    refused("a damaged FLAC", one(b"fLaC" + bytes(99), "low/x.flac"), "damaged (…): low/x.flac"),
    refused(
        "several faults at once",
        folder(lambda root: [(root / "low" / it).write_bytes(b"") for it in ("x.wav", "y.wav")]
               + [(root / "low" / "z.wav").write_text("hello")]),
        "2 faults\n  empty: low/x.wav, low/y.wav\n  text: low/z.wav",
    ),
    Case(
        "a named pipe",
        folder(lambda root: os.mkfifo(root / "low" / "x.wav")),
        "submission",
        "a named pipe, not a file: low/x.wav",
    ),
    Case(
        "MP3 files alone",
        only(("a/1.mp3", b"ID3"), ("b/1.mp3", b"ID3")),
        "submission",
        "has no recording of class a, b\nKnown are .aif … .wav .wave. It also has 2 .mp3.",
    ),
    Case(
        "a list of Speech Commands that names a file which is not there",
        folder(lambda root: (root / "testing_list.txt").write_text("low/000.wav\nlow/gone.wav\n")),
        "submission",
        "testing_list.txt: recordings that are not there: low/gone.wav",
    ),
    Case(
        "a list of Speech Commands with paths from another machine",
        folder(lambda root: (root / "testing_list.txt").write_text("/data/sounds/low/000.wav\n")),
        "submission",
        "testing_list.txt: recordings that are not there: /data/sounds/low/000.wav",
    ),
    Case(
        "silence alone",
        folder(lambda root: [it.write_bytes(wav(SOUND * 0)) for it in root.rglob("*.wav")]),
        "node",
        "every value is 0: there is nothing to learn from",
    ),
    Case(
        "several other rates",
        folder(
            lambda root: [
                (root / "low" / f"{it}.wav").write_bytes(wav(SOUND, it)) for it in (4000, 16000)
            ]
        ),
        "submission",
        "2 faults…data.sample_rate: 8000 resamples all to one rate.",
    ),
    Case(
        "samples that are not finite",
        one(wav(NOT_A_NUMBER, bits=32, kind=FLOAT)),
        "node",
        "samples that are not finite: low/x.wav",
    ),
    Case(
        "floats in the range of 16-bit integers",
        one(wav(SOUND * 60000, bits=32, kind=FLOAT)),
        "node",
        "floats up to …, but samples have to lie in [-1, 1]: low/x.wav…Divide them",
    ),
    Case(
        "the same, streamed",
        one(wav(SOUND * 60000, bits=32, kind=FLOAT), loading="streaming"),
        "node",
        "floats up to …, but samples have to lie in [-1, 1]: low/x.wav",
    ),
    Case(
        "a recording that is exchanged while it is streamed",
        folder(lambda root: None, loading="streaming"),
        "training",
        "000.wav has changed: its length was …, and is now 3",
        later=exchanged,
    ),
    Case(
        "another rate, to be resampled",
        one(wav(tone(300, 800, 16000), 16000), sample_rate=8000),
        "trains",
        "recordings resampled to 8000 samples a second: 1 of 16000",
    ),
    Case(
        "stereo, to be mixed",
        one(wav(tone(300, 800, channels=2)), mix=True),
        "trains",
        "recordings whose channels are mixed into one: 1 of 25",
    ),
    Case(
        "a long recording, truncated",
        one(wav(tone(300, 9000)), longest=0.5),
        "trains",
        "recordings truncated to 0.5 s: 1 of 25",
    ),
    Case(
        "a recording that is much longer than the others",
        one(wav(tone(300, 90000))),
        "trains",
        "the longest recording has 11.2 s, the mean is …",
    ),
    Case("a single sample", one(wav(SOUND[:1])), "trains"),
    Case("digital silence", one(wav(SOUND * 0)), "trains"),
    Case("24 bits beside 16", one(wav(SOUND, bits=24)), "trains"),
    Case("8 bits", one(wav(SOUND, bits=8)), "trains"),
    Case("floats", one(FLOATS), "trains"),
    Case("a suffix in capitals", one(wav(SOUND), "low/X.WAV"), "trains"),
    Case(
        "WAVE_FORMAT_EXTENSIBLE, as recorders and MATLAB write it",
        one(riff(
            b"fmt " + struct.pack("<IHHIIHHHHI", 40, 0xFFFE, 1, RATE, 2 * RATE, 2, 16, 22, 16, 4)
            + struct.pack("<H", 1) + bytes(14), bytes(800)
        )),
        "trains",
    ),
    Case(
        "notes of an editor after the samples",
        one(wav(SOUND) + b"LIST" + struct.pack("<I", 4) + b"INFO"),
        "trains",
    ),
    Case(
        "files of other forms beside the recordings",
        folder(lambda root: (root / "low" / "notes.txt").write_text("x")),
        "trains",
        "files of classes that are not read: 1 .txt",
    ),
    Case(
        "Speech Commands' background noise",
        folder(lambda root: ((root / "_background_noise_").mkdir(),
                             (root / "_background_noise_" / "n.wav").write_bytes(wav(SOUND)))),
        "trains",
        "not read in sounds: _background_noise_/",
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_of_recordings(case, tmp_path):
    if "FLAC" in case.what:
        pytest.importorskip("soundfile")
    check(case, tmp_path)
