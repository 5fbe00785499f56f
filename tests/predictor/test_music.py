"""A prediction of music takes MIDI files, pitches and piano rolls."""

import numpy as np
import pytest
import torch

from hpc_dl.data.music import rolls
from hpc_dl.errors import UserError
from hpc_dl.predictor.music import Music
from hpc_dl.tasks.music import midi

PITCHES = [[60, 64], [], [62]]
ROLL = rolls.roll(PITCHES)
MUSIC = Music(rate=100 / 60)


@pytest.mark.parametrize(
    "given",
    [
        PITCHES,
        [PITCHES],
        ROLL,
        ROLL.astype(int),
        torch.from_numpy(ROLL),
        ROLL[None],
        {"music": PITCHES},
        [ROLL.astype(float)],
    ],
)
def test_one_piece_in_any_form_is_the_same(given):
    batch = MUSIC.batch(given)
    assert batch["music_length"].tolist() == [3]
    assert torch.equal(batch["music"][0], torch.from_numpy(ROLL).float())


def test_a_midi_file_is_read_in_the_frames_of_the_training(tmp_path):
    file = tmp_path / "it.mid"
    file.write_bytes(midi.write(ROLL, 100 / 60))
    for given in (file, str(file), [str(file)]):
        assert torch.equal(MUSIC.batch(given)["music"][0], torch.from_numpy(ROLL).float())


def test_pieces_of_differing_length_are_padded():
    batch = MUSIC.batch([PITCHES, [[60]]])
    assert batch["music_length"].tolist() == [3, 1]
    assert not batch["music"][1, 1:].any()


@pytest.mark.parametrize(
    "given, message",
    [
        ([], "but was given none"),
        ({"roll": PITCHES}, "takes music, but was given roll"),
        ([[[12]]], "piece 1 has the pitch 12: a piano has 21 to 108"),
        (np.full((2, 88), 0.5), "piece 1 has no frames, or numbers that are not 0 or 1"),
        (np.zeros((0, 88)), "piece 1 has no frames"),
        ([[["C4"]]], "piece 1 is no music"),
        ("nowhere.mid", "piece 1: there is no file nowhere.mid"),
        ([1.5], "piece 1 is no music"),
        (5, "the network takes music"),
        (None, "the network takes music"),
        ({}, "but was given none"),
        ("", "the path is empty"),
        ([[[60.5]]], "piece 1 has the pitch 60.5, which is between two keys"),
    ],
)
def test_what_is_no_music_is_refused(given, message):
    with pytest.raises(UserError, match=message):
        MUSIC.batch(given)


def test_a_midi_file_is_not_read_in_frames_longer_than_its_quarter_notes(tmp_path):
    file = tmp_path / "it.mid"
    file.write_bytes(midi.write(ROLL, 1.0))
    with pytest.raises(UserError, match=r"trained on 0\.5 frames a quarter note"):
        Music(rate=50 / 60).batch(file)
