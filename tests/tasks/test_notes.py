"""Music: the loss of the literature, continuations that follow from a seed, sound and MIDI."""

import io
import wave

import mido
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from hpc_dl import tasks
from hpc_dl.data.music import cadences, midi_files, rolls
from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.jobspec.notes import NAMES, NOTES, frequency
from hpc_dl.tasks.music import midi, sound
from hpc_dl.tasks.music.runs import held
from hpc_dl.tasks.pictures import piano_rolls
from hpc_dl.tasks.predict_notes import Improvisation
from tests.support.measured import together

FEATURE = Feature("float", (None, NOTES), NAMES, longest=8, rate=2.0)
TASK = tasks.build(
    DataFacts("music", "predict_notes", {"music": FEATURE}, {"next": FEATURE}, 4, 1, 1)
)
CHORD = rolls.roll([[60, 64], [60, 64], [60], [], [62]])


def batch(*pitches):
    pieces = [torch.from_numpy(rolls.roll(it)).float() for it in pitches]
    length = torch.tensor([*map(len, pieces)])
    padded = torch.nn.utils.rnn.pad_sequence(pieces, batch_first=True, padding_value=9.0)
    return {"next": padded, "music": padded, "music_length": length, "next_length": length}


def test_the_loss_is_the_sum_over_notes_and_its_count_that_of_real_frames():
    loss = TASK.loss(torch.zeros(2, 3, NOTES), batch([[60], [62], [64]], [[60]]))
    assert int(loss.count) == 4
    assert float(loss.total) == pytest.approx(4 * NOTES * np.log(2), rel=1e-5)


def test_the_accuracy_counts_notes_that_are_right_of_those_that_are_true_or_predicted():
    outputs = torch.full((1, 2, NOTES), -1.0)
    outputs[0, 0, [60 - 21, 61 - 21]] = 1.0  # right and false; the second frame's is missed
    found = TASK.measure(outputs, batch([[60], [62]]))["note_accuracy"]
    assert (int(found.total), int(found.count)) == (1, 3)


def test_the_accuracy_of_silence_is_nan():
    measured = together(TASK.measure(torch.full((1, 2, NOTES), -1.0), batch([[], []])))
    assert np.isnan(measured["note_accuracy"])
    assert measured["loss"] > 0


def repeat(frame, state):
    """A network that is sure that the notes sound on."""
    return (frame - 0.5) * 100, state


def test_a_continuation_goes_on_from_the_last_real_frame():
    written = TASK.generate(repeat, batch([[60], [62], [64]], [[70, 72]]))["notes"]
    assert written.shape == (2, Improvisation().frames, NOTES)
    assert [row.any(0).nonzero()[:, 0].tolist() for row in written] == [[43], [49, 51]]


def test_a_seed_gives_the_same_music_and_another_one_other(monkeypatch):
    def unsure(frame, state):
        return torch.zeros_like(frame), state

    found = []
    for seed in (0, 0, 1):
        monkeypatch.setattr(TASK, "params", Improvisation(frames=4, seed=seed))
        found.append(TASK.generate(unsure, batch([[60]]))["notes"])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_a_continuation_is_also_the_names_of_its_notes():
    notes = torch.from_numpy(rolls.roll([[60, 64], []]))[None]
    assert TASK.decode({"notes": notes})["continuation"].tolist() == ["C4 E4\n-"]


def test_without_mido_the_sound_says_what_to_install(monkeypatch):
    monkeypatch.setattr("hpc_dl.tasks.music.midi.find_spec", lambda name: None)
    found = TASK.samples(repeat, batch([[60]] * 20))
    assert set(found) == {"piano_rolls", "music_1"}
    assert "pip install 'hpcdl[music]'" in found["music_1"].caption


def test_a_piano_roll_shows_the_notes_that_sound_and_no_more():
    axis = Figure().subplots()
    piano_rolls.draw(axis, torch.from_numpy(rolls.roll([[60, 64]])), 1.0)
    assert axis.get_ylim() == (58, 66)


def test_samples_are_pictures_sound_and_midi():
    sample = batch(*[[[60, 64]] * 20] * 2)
    found = TASK.samples(repeat, sample)
    assert set(found) == {"piano_rolls", "music_1", "music_2", "midi_1", "midi_2"}
    assert found["piano_rolls"].pixels().size


def test_a_note_in_consecutive_frames_is_held():
    assert sorted(held(CHORD)) == [(39, 0, 3), (41, 4, 5), (43, 0, 2)]


def test_what_is_written_as_midi_is_read_as_it_was(tmp_path):
    for number, piece in enumerate([CHORD, *cadences.pieces(3, 0)]):
        file = tmp_path / f"{number}.mid"
        file.write_bytes(midi.write(piece, 2.0))
        found = midi_files.read("it", file, 1)
        read = found.roll
        assert (found.outside, found.drums, found.moved) == (0, 0, 0)
        assert np.array_equal(read, piece[: len(read)])
        assert not piece[len(read) :].any()
        seconds = mido.MidiFile(file).length
        assert seconds == pytest.approx(len(read) / 2.0, abs=0.01)


def test_sound_has_the_length_and_the_pitch_of_the_piece():
    with wave.open(io.BytesIO(sound.wav(rolls.roll([[69]] * 4), 2.0))) as opened:
        rate, count = opened.getframerate(), opened.getnframes()
        samples = np.frombuffer(opened.readframes(count), "<i2")
    assert count / rate == pytest.approx(2.0, abs=0.1)
    loudest = np.abs(np.fft.rfft(samples)).argmax() * rate / count
    assert loudest == pytest.approx(frequency(69), abs=1) == pytest.approx(440, abs=1)
    assert 0.8 * 32767 < np.abs(samples).max() <= 32767


def test_silence_is_written_too():
    assert len(sound.wav(np.zeros((4, NOTES)), 2.0)) > 4


def test_cadences_follow_from_their_seed():
    first, again, other = (cadences.pieces(3, seed) for seed in (0, 0, 1))
    assert all(map(np.array_equal, first, again))
    assert not all(map(np.array_equal, first, other))
