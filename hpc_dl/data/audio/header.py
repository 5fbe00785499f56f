"""Headers of recordings: rate, channels and length, without the samples. Light."""

from __future__ import annotations

import re
from pathlib import Path

from hpc_dl.data.audio import wav
from hpc_dl.data.audio.faults import CONVERT, DAMAGED, Refused
from hpc_dl.data.audio.wav import Header
from hpc_dl.data.class_folders.walk import special
from hpc_dl.installed import require

HEAD = 64
_BY_SOUNDFILE = (b"fLaC", b"OggS", b"FORM", b".snd", b"NIST_1A", b"RF64", b"caff")
"""Beginnings of the files that libsndfile reads: FLAC, Ogg, AIFF, AU, SPHERE, RF64 and CAF."""
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (rb"ID3|\xff[\xe2-\xfb]", "MP3", CONVERT),
    (rb"(?s).{4}ftyp", "MP4 or M4A", CONVERT),
    (rb"\x30\x26\xb2\x75", "WMA", CONVERT),
    (rb"\x1a\x45\xdf\xa3", "a film (WebM)", CONVERT),
    (rb"RIFX", "a wav file of another byte order (RIFX)", CONVERT),
    (rb"RIFF", "a RIFF file without sound", CONVERT),
    (rb"version https://git-lfs", "a pointer of Git LFS", "`git lfs pull` fetches them."),
    (rb"(?i)\s*<(!doctype|html)", "a web page", "Download them again."),
    (rb"PK\x03\x04|\x1f\x8b|Rar!|7z\xbc\xaf", "an archive", "Unpack it."),
    (rb"\x89PNG|\xff\xd8\xff", "a picture", DAMAGED),
    (rb"\0+\Z", "zeros, as a full disk or a crash leaves them", "Copy them again."),
    (rb"[\x09\x0a\x0d\x20-\x7e\x80-\xf4]+\Z", "text", DAMAGED),
)
"""Beginnings of files that are no recordings, what they are, and what to do about it."""


def read(path: Path) -> Header:
    """Read a header. Raises Refused for what is no recording, or has no samples."""
    if what := special(path):
        raise Refused(what, DAMAGED)
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
                found = wav.read_header(file)
            else:
                found = _of_library(path, head)
    except OSError as error:
        raise Refused(error.strerror or str(error), DAMAGED) from None
    if not found.samples:
        raise Refused("no samples", "Remove them: there is nothing to hear.")
    return found


def _of_library(path: Path, head: bytes) -> Header:
    """Read the header of a file that is no wav."""
    if not head:
        raise Refused("empty", DAMAGED)
    if not head.startswith(_BY_SOUNDFILE):
        found = (them for pattern, *them in _OTHERS if re.match(pattern, head))
        raise Refused(*next(found, ("of no known form", CONVERT)))
    soundfile = require("soundfile", "audio", f"reading {path.suffix} files")
    try:
        about = soundfile.info(str(path))
    except RuntimeError as error:
        raise Refused(f"damaged ({_first_line(error)})", DAMAGED) from None
    return Header(about.samplerate, about.channels, about.frames)


def _first_line(error: Exception) -> str:
    return str(error).rpartition(": ")[2].strip(" .\n")
