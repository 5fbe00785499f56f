"""Predictions of recordings: paths, samples with their rate, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from hpc_dl.cli import main
from hpc_dl.data.audio.form import FILE, AudioForm
from hpc_dl.errors import UserError
from hpc_dl.predictor import Predictor
from tests.support import exports
from tests.support.recordings import RATE, tone, wav


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("export") / "export")


def exported(folder: Path, **form) -> Path:
    exports.export(folder, *exports.RECORDINGS["lstm of recordings"])
    (folder / "assets").mkdir()
    form = {"resamples": False, "mixes": False, **form}
    (folder / "assets" / FILE).write_text(AudioForm(RATE, **form).to_json())
    return folder


def test_a_path_its_samples_and_a_list_of_both_predict_the_same(folder, tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(tone(300, 999)))
    whole = np.round(tone(300, 999)[:, 0] * 32767).astype(np.int16)
    predict = Predictor(folder).predict
    alone = predict(str(tmp_path / "a.wav"))
    assert alone["class"].shape == (1,)
    ways = [
        tmp_path / "a.wav",
        (tone(300, 999)[:, 0].astype(np.float32), RATE),
        (tone(300, 999), RATE),
        (whole, RATE),
        {"audio": tone(300, 999), "rate": RATE},
    ]
    for given in ways:
        found = predict(given)["probabilities"]
        assert np.allclose(found, alone["probabilities"], atol=1e-3)
    several = predict([*ways, (tone(900, 4000), RATE)])["probabilities"]
    assert several.shape == (6, 2)
    assert np.allclose(several[:5], alone["probabilities"], atol=1e-3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((tone(300, 99), 16000), "recording 1 is not read: 16000 samples a second, not 8000"),
        ((tone(300, 99, channels=2), RATE), "recording 1 is not read: 2 channels, not one"),
        (tone(300, 99), "recording 1 is neither a path, nor samples with their rate"),
        ([(tone(300, 9), RATE), "/no/where.wav"], "audio: there is no file /no/where.wav"),
        ((np.zeros((2, 3, 4)), RATE), r"recording 1 is \(2, 3, 4\): no samples"),
        ((tone(300, 99), float("nan")), "recording 1 has the rate nan, which is no whole number"),
        ((tone(300, 99), "8k"), "recording 1 has the rate '8k', which is no whole number"),
        ((tone(300, 99), RATE + 0.5), "recording 1 has the rate 8000.5, which is no whole"),
        ((np.zeros(9, np.int64), RATE), "recording 1 is of int64: give floats"),
        ((np.full(9, np.nan), RATE), "recording 1 is not read: samples that are not finite"),
        ((np.full(9, 300.0), RATE), r"not read: floats up to 300, but samples have to lie in"),
        ((np.zeros(9, bool), RATE), "recording 1 is of bool: give floats"),
        ([], "the network takes recordings, but was given none"),
    ],
)
def test_what_is_no_recording_of_this_form_is_refused(folder, given, said):
    with pytest.raises(UserError, match=said) as caught:
        Predictor(folder).predict(given)
    assert "data." not in caught.value.hint  # the training is over


def test_a_network_that_was_trained_on_resampled_recordings_takes_any(tmp_path):
    folder = exported(tmp_path / "export", resamples=True, mixes=True, longest=8000)
    predict = Predictor(folder).predict
    one = predict((tone(300, 16000, 16000, channels=2), 16000))["probabilities"]
    same = predict((tone(300, 9000), RATE))["probabilities"]
    assert np.allclose(one, same, atol=1e-2)


def test_the_command_predicts_a_wav(folder, tmp_path, capsys):
    (tmp_path / "a.wav").write_bytes(wav(tone(300, 999)))
    assert main(["predict", str(folder), str(tmp_path / "a.wav")]) == 0
    assert capsys.readouterr().out.startswith("file,class,probability\na.wav,")
    (tmp_path / "b.wav").write_text("hello")
    assert main(["predict", str(folder), str(tmp_path / "b.wav")]) == 2
    assert "b.wav is not read: text" in capsys.readouterr().err


def test_the_form_is_that_of_the_training(tmp_path):
    form = AudioForm(RATE, resamples=True, mixes=False, longest=99)
    assert AudioForm.of_training(tmp_path, 8000.0) == AudioForm(RATE, False, False)
    (tmp_path / FILE).write_text(form.to_json())
    assert AudioForm.of_training(tmp_path, 8000.0) == form
