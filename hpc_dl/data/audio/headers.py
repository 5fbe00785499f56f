"""The headers of all recordings of a folder, and the form in which these are read. Light."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path

from hpc_dl.data import checked_files
from hpc_dl.data.audio import faults, header
from hpc_dl.data.audio.faults import Refused
from hpc_dl.data.audio.form import AudioForm
from hpc_dl.data.audio.wav import Header
from hpc_dl.errors import first_few
from hpc_dl.jobspec.audio_options import Recordings

_RULE = "audio headers 1"
FAR_LONGER = 10
"""Times the mean, from which the longest recording is worth a note."""
Headers = Mapping[Path, Header]


def read_all(paths: Sequence[Path], root: Path, cache: Path) -> dict[Path, Header]:
    """Read the headers of recordings, or what `cache` has of them, as long as no file changes.

    Raises UserError with all that are no recordings, or have no samples.
    """
    file = cache / f"{checked_files.digest(_RULE, paths)}.json"
    with contextlib.suppress(OSError, ValueError, TypeError):  # absent, or damaged by a crash
        kept = [Header(*it) for it in json.loads(file.read_bytes())]
        return dict(zip(paths, kept, strict=True))
    with ThreadPoolExecutor() as pool:  # a network's disk answers many at a time
        found = dict(zip(paths, pool.map(_try, paths), strict=True))
    faults.refuse_all(((path, it) for path, it in found.items() if isinstance(it, Refused)), root)
    read = {path: it for path, it in found.items() if isinstance(it, Header)}
    with contextlib.suppress(OSError):  # a cache that cannot be written costs only time
        _write(file, json.dumps([astuple(it) for it in read.values()]))
    return read


def _try(path: Path) -> Header | Refused:
    try:
        return header.read(path)
    except Refused as error:
        return error


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(text)
    temporary.replace(file)


def form_of(headers: Headers, options: Recordings, root: Path) -> AudioForm:
    """Return the form that the options ask for; without a rate, the one that most recordings have.

    Raises UserError with all recordings that are not converted to it.
    """
    most = Counter(it.rate for it in headers.values()).most_common(1)[0][0]
    rate = options.sample_rate or most
    longest = None if options.longest is None else max(round(options.longest * rate), 1)
    form = AudioForm(rate, options.sample_rate is not None, options.mix, longest)
    bad = []
    for path, it in headers.items():
        try:
            form.refuse(it)
        except Refused as error:
            bad.append((path, error))
    faults.refuse_all(bad, root)
    return form


def note(headers: Headers, form: AudioForm) -> tuple[str, ...]:
    """Return notes for the plan of what is done to recordings."""
    each = headers.values()
    rates = Counter(it.rate for it in each if it.rate != form.rate)
    mixed = sum(it.channels > 1 for it in each)
    longer = sum(form.whole_length_of(it) > form.length_of(it) for it in each)
    notes = []
    if rates:
        found = first_few(f"{count} of {rate}" for rate, count in rates.most_common())
        notes.append(f"recordings resampled to {form.rate} samples a second: {found}")
    if mixed:
        notes.append(f"recordings whose channels are mixed into one: {mixed} of {len(headers)}")
    if longer and form.longest:
        seconds = form.longest / form.rate
        notes.append(f"recordings truncated to {seconds:g} s: {longer} of {len(headers)}")
    lengths = [form.length_of(it) / form.rate for it in each]
    if max(lengths) > FAR_LONGER * (mean := sum(lengths) / len(lengths)):
        notes.append(
            f"the longest recording has {max(lengths):.3g} s, the mean is {mean:.3g} s: a batch is "
            "as long as its longest, unless data.longest truncates it"
        )
    return tuple(notes)
