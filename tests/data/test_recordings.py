"""Recordings: what is read of wav files, resampled, mixed, truncated, streamed and divided."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hpc_dl.data import sources
from hpc_dl.data.audio import header, reading
from hpc_dl.data.audio.form import AudioForm
from hpc_dl.data.sampler import Batches, held_out
from hpc_dl.data.sources import fsdd
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.audio_folder import AudioFolder
from hpc_dl.jobspec.sources.fsdd import FSDD
from tests.support import reading as support
from tests.support.recordings import FLOAT, INT, RATE, folder_of_recordings, tone, wav

FSDD_FOLDER = Path(os.environ.get("HPCDL_DATA", "missing")) / "fsdd"
AS_IT_IS = AudioForm(RATE, resamples=False, mixes=False)


def load(root, tmp_path, workers=None, **options):
    source = AudioFolder(name="audio_folder", root=str(root), **options)
    return support.load(source, tmp_path / "root", tmp_path, workers)


@pytest.mark.parametrize(
    ("bits", "kind", "error"),
    [(8, INT, 1e-2), (16, INT, 1e-4), (24, INT, 1e-6), (32, INT, 1e-6), (32, FLOAT, 1e-7),
     (64, FLOAT, 1e-7)],
)  # fmt: skip
def test_samples_of_every_width_are_the_same_sound(tmp_path, bits, kind, error):
    made = tone(300, 777)
    (tmp_path / "a.wav").write_bytes(wav(made, bits=bits, kind=kind))
    found = reading.read(tmp_path / "a.wav", AS_IT_IS)
    assert found.dtype == np.float32
    assert np.abs(found - made[:, 0]).max() < error


def test_chunks_before_the_samples_are_skipped(tmp_path):
    tags = b"LIST" + (5).to_bytes(4, "little") + b"hello" + b"\0"  # padded to an even length
    (tmp_path / "a.wav").write_bytes(wav(tone(300, 40), more=tags))
    assert header.read(tmp_path / "a.wav").samples == 40


def test_flac_is_read_by_soundfile(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "a.flac", tone(300, 900), RATE)
    found = reading.read(tmp_path / "a.flac", AS_IT_IS)
    assert np.abs(found - tone(300, 900)[:, 0]).max() < 1e-4


def test_without_soundfile_other_forms_are_refused_with_the_extra(tmp_path, monkeypatch):
    (tmp_path / "a.flac").write_bytes(b"fLaC" + bytes(99))
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(UserError, match=r"\.flac files needs the package soundfile") as caught:
        header.read(tmp_path / "a.flac")
    assert caught.value.hint == "pip install 'hpcdl[audio]'"


def test_a_resampled_tone_is_the_same_tone(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(tone(300, 16000, 16000), 16000))
    found = reading.read(tmp_path / "a.wav", AudioForm(RATE, resamples=True, mixes=False))
    assert len(found) == 8000
    assert np.abs(found - tone(300, 8000)[:, 0])[100:-100].max() < 0.01


def test_nothing_above_half_the_new_rate_is_left(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(tone(7000, 16000, 16000), 16000))
    found = reading.read(tmp_path / "a.wav", AudioForm(RATE, resamples=True, mixes=False))
    assert np.abs(found)[100:-100].max() < 0.01


def test_channels_are_mixed_to_their_mean(tmp_path):
    left, right = tone(300, 100), tone(500, 100)
    (tmp_path / "a.wav").write_bytes(wav(np.hstack([left, right])))
    found = reading.read(tmp_path / "a.wav", AudioForm(RATE, resamples=False, mixes=True))
    assert np.abs(found - (left + right)[:, 0] / 2).max() < 1e-4


@pytest.mark.parametrize("samples", [1, 7, 999, 1001])
@pytest.mark.parametrize(("rate", "longest"), [(8000, None), (11025, None), (44100, 300)])
def test_the_length_by_the_header_is_that_of_the_samples(tmp_path, samples, rate, longest):
    form = AudioForm(RATE, resamples=True, mixes=False, longest=longest)
    (tmp_path / "a.wav").write_bytes(wav(tone(300, samples, rate), rate))
    expected = form.length_of(header.read(tmp_path / "a.wav"))
    assert len(reading.read(tmp_path / "a.wav", form)) == expected


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return folder_of_recordings(tmp_path_factory.mktemp("recordings"), 25)


def same(ours, theirs):
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs, strict=True):
        assert one.keys() == other.keys() == {"audio", "audio_length", "label", "index"}
        for name in one:
            assert torch.equal(one[name], other[name])
            assert one[name].dtype == other[name].dtype
            assert one[name].stride() == other[name].stride()


@pytest.mark.parametrize("order", ["shuffled", "by_length"])
@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_streamed_batches_are_those_in_memory_bit_for_bit(folder, tmp_path, workers, order):
    resident, streamed = load(folder, tmp_path), load(folder, tmp_path, workers)

    def steps(splits, rank):
        batches = Batches(splits.train, 9, 4, 7, rank, 2, order=order)
        return [it for step in batches.steps(1, first=2) for it in step if it is not None]

    for rank in range(2):
        same(steps(streamed, rank), steps(resident, rank))
    for name in ("validation", "test"):
        ours, theirs = (getattr(it, name) for it in (streamed, resident))
        same(list(held_out(ours, 3, 0, 1)), list(held_out(theirs, 3, 0, 1)))
    ours, theirs = (list(it.train.sequences_in_order("audio")) for it in (streamed, resident))
    assert all(torch.equal(a, b) for a, b in zip(ours[0], theirs[0], strict=True))


def test_a_recording_that_is_exchanged_while_it_is_streamed_is_named(tmp_path):
    root = folder_of_recordings(tmp_path / "recordings", 8)
    splits = load(root, tmp_path, 0)
    for file in root.rglob("*.wav"):
        file.write_bytes(wav(tone(300, 5)))
    with pytest.raises(UserError, match=r"\.wav has changed: its length was \d+, and is now 5"):
        list(held_out(splits.train, 4, 0, 1))


def test_batches_by_length_are_padded_less(folder, tmp_path):
    train = load(folder, tmp_path).train

    def padding(order):
        batches = Batches(train, 4, 4, 0, 0, 1, order=order).steps(0)
        return sum(it["audio"].numel() - int(it["audio_length"].sum()) for (it,) in batches)

    assert padding("by_length") < padding("shuffled") / 2


def test_the_lists_of_speech_commands_are_its_splits(tmp_path):
    root = folder_of_recordings(tmp_path / "commands", 6)
    (root / "_background_noise_").mkdir()
    (root / "_background_noise_" / "noise.wav").write_bytes(wav(tone(50, 9000)))
    (root / "validation_list.txt").write_text("high/000.wav\nlow/001.wav\n")
    (root / "testing_list.txt").write_text("high/002.wav\r\nlow/003.wav\r\nlow/004.wav\r\n")
    splits = load(root, tmp_path)
    sizes = {name: len(getattr(splits, name)) for name in ("train", "validation", "test")}
    assert sizes == {"train": 7, "validation": 2, "test": 3}
    assert splits.facts.classes == ("high", "low")
    names = {splits.names.of(int(it)) for it in splits.test.index}
    assert names == {"high/002.wav", "low/003.wav", "low/004.wav"}


def test_a_speaker_is_in_one_split(tmp_path):
    root = folder_of_recordings(tmp_path / "recordings", 20)
    splits = load(root, tmp_path, groups=r"(\d\d)\.wav")
    speakers = [
        {splits.names.of(int(it))[-6:] for it in getattr(splits, name).index}
        for name in ("train", "validation", "test")
    ]
    assert all(not one & other for one in speakers for other in speakers if one is not other)


def test_the_login_node_imports_neither_torch_nor_numpy(folder, tmp_path):
    code = f"""
import sys
from pathlib import Path
from hpc_dl.data import sources
from hpc_dl.jobspec.sources.audio_folder import AudioFolder
options = AudioFolder(name="audio_folder", root={str(folder)!r})
assert sources.build(options, Path({str(tmp_path)!r})).describe().train == 40
assert not {{"torch", "numpy", "scipy"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(not FSDD_FOLDER.is_dir(), reason="HPCDL_DATA has no fsdd")
def test_fsdd_is_tested_on_five_of_each_digit_and_speaker(tmp_path):
    source = sources.build(FSDD(name="fsdd", root=str(FSDD_FOLDER)), tmp_path)
    facts = source.describe()
    assert (facts.train, facts.validation, facts.test) == (2430, 270, 300)
    indices = {int(path.stem.rpartition("_")[2]) for path, _ in source.found.files["test"]}
    assert indices == {0, 1, 2, 3, 4}
    assert facts.inputs["audio"].rate == 8000


@pytest.mark.parametrize(
    ("there", "root", "said"),
    [
        (3000, "gone", "there is no folder .*gone/recordings\n.*hpcdl data fetch fsdd"),
        (3000, "fsdd/recordings", r"Its files lie in .*: that is data\.root: .*fsdd$"),
        (2999, "fsdd", r"fsdd is not staged: no 9_yweweler_9\.wav in "),
    ],
)
def test_what_is_not_the_whole_of_fsdd_is_refused(tmp_path, there, root, said):
    (tmp_path / "fsdd" / "recordings").mkdir(parents=True)
    for name in fsdd.FILES[:there]:
        (tmp_path / "fsdd" / "recordings" / name).touch()
    with pytest.raises(UserError) as caught:
        sources.build(FSDD(name="fsdd", root=str(tmp_path / root)), tmp_path).describe()
    assert re.search(said, str(caught.value), re.DOTALL)
