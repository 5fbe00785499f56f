"""Log-mel features: the bands that tones are in, standardisation, and padding."""

import pytest
import torch

from hpc_dl import tasks, zoo
from hpc_dl.jobspec.architectures import ZOO
from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.jobspec.log_mel import LogMel
from hpc_dl.zoo.layers.log_mel import LogMelFeatures

RATE = 8000
LENGTH = torch.tensor([900, 333, 80])
RECORDINGS = DataFacts(
    "audio",
    "classify",
    {"audio": Feature("float", (None,), longest=1000, rate=float(RATE))},
    {"label": Feature("int", (), ("yes", "no"))},
    *(8, 2, 2),
)
NETWORKS = {
    "rnn": {"hidden": 8},
    "lstm": {"hidden": 8, "bidirectional": True, "pooling": "mean", "dropout": 0.0},
    "transformer": {"width": 8, "heads": 2, "depth": 1, "dropout": 0.0},
    "cnn": {"channels": [8], "hidden": [], "dropout": 0.0},
}


def tone(pitch, samples=RATE):
    return 0.5 * torch.sin(2 * torch.pi * pitch * torch.arange(samples) / RATE)[None]


def recordings(width):
    """Three recordings, with garbage behind their ends."""
    return torch.rand(3, 1000, generator=torch.Generator().manual_seed(0))[:, :width] - 0.5


@pytest.mark.parametrize("pitch", [300, 1000, 3000])
def test_a_tone_is_loudest_in_the_band_of_its_pitch(pitch):
    features, _ = LogMelFeatures(RATE, LogMel(bands=30))(tone(pitch))
    top = 2595 * torch.log10(torch.tensor(1 + RATE / 2 / 700))
    mel = 2595 * torch.log10(torch.tensor(1 + pitch / 700))
    expected = round(float(mel / top * 31)) - 1
    assert abs(int(features[0, 50].argmax()) - expected) <= 1


def test_frames_are_as_far_apart_as_the_hop():
    features = LogMelFeatures(RATE, LogMel(hop=20))
    found, frames = features(tone(300), torch.tensor([RATE]))
    assert found.shape[1] == int(frames) == features.steps(RATE) == 51


@pytest.mark.parametrize("bands", [2, 40, 128, 256])
def test_every_band_hears_something(bands):
    """Bands of low pitch are narrower than the frequencies of a short frame are apart."""
    features, _ = LogMelFeatures(RATE, LogMel(bands=bands))(torch.randn(1, RATE))
    assert features.std(dim=1).min() > 0.1


def test_features_of_the_training_split_are_standardised():
    features = LogMelFeatures(RATE, LogMel(bands=8))
    features.fit([(recordings(1000), LENGTH)])
    found, frames = features(recordings(1000), LENGTH)
    real = torch.cat([it[:count] for it, count in zip(found, frames, strict=True)])
    assert torch.allclose(real.mean(dim=0), torch.zeros(8), atol=1e-5)
    assert torch.allclose(real.std(dim=0, correction=0), torch.ones(8), atol=1e-5)


def test_silence_alone_has_finite_features():
    features = LogMelFeatures(RATE, LogMel(bands=8))
    features.fit([(torch.zeros(2, 500), torch.tensor([500, 9]))])
    found, _ = features(torch.zeros(1, 500), torch.tensor([500]))
    assert found.isfinite().all()


def test_more_padding_and_what_is_in_it_change_no_feature():
    features = LogMelFeatures(RATE, LogMel(bands=8))
    short, frames = features(recordings(900), LENGTH)
    long, same = features(recordings(1000), LENGTH)
    assert torch.equal(frames, same)
    assert torch.allclose(short, long[:, : short.shape[1]], atol=1e-5)
    assert not long[:, short.shape[1] :].any()
    for row, length in enumerate(LENGTH.tolist()):
        alone, _ = features(recordings(1000)[row : row + 1, :length])
        assert torch.allclose(alone[0], long[row, : int(frames[row])], atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_more_padding_changes_no_output_of_a_network(name):
    torch.manual_seed(0)
    made = zoo.build(ZOO[name](name=name, **NETWORKS[name]), RECORDINGS, None)
    assert tasks.build(RECORDINGS)
    nets = made.networks()
    nets["model"].eval()
    outputs = [
        made.outputs(nets, {"audio": recordings(width), "audio_length": LENGTH})
        for width in (900, 1000)
    ]
    assert outputs[0].shape == (3, 2)
    assert torch.allclose(*outputs, atol=1e-5)
