"""Pieces of music are cut into examples, and divided by piece."""

import sys
from pathlib import Path

import pytest
import torch

from hpc_dl.data.sampler import Batches
from hpc_dl.data.transforms.augment import Augmentation
from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import Augment
from hpc_dl.jobspec.sources.jsb_chorales import JSBChorales
from hpc_dl.jobspec.sources.midi import Midi
from hpc_dl.jobspec.sources.synthetic_music import SyntheticMusic
from tests.support import reading, steps
from tests.support.real_data import ROOT, needs

MADE = {"name": "synthetic_music", "pieces": 30, "length": 8}


@pytest.fixture
def splits():
    return reading.load(SyntheticMusic(**MADE), Path())


def in_order(split):
    """All examples by their numbers."""
    return split.batch(split.index.argsort())


def test_a_description_is_that_of_the_examples_and_says_that_they_are_synthetic(splits):
    assert splits.facts == reading.describe(SyntheticMusic(**MADE), Path())
    assert splits.facts.synthetic
    assert len(splits.train) == splits.facts.train


def test_every_frame_is_predicted_from_the_one_before(splits):
    batch = in_order(splits.train)
    for row, (begins, length) in enumerate(
        zip(batch["begins"].tolist(), batch["music_length"].tolist(), strict=True)
    ):
        music, next_ = (batch[name][row, :length] for name in ("music", "next"))
        assert torch.equal(music[1:], next_[:-1])
        before = torch.zeros(88) if begins else batch["next"][row - 1, -1]
        assert torch.equal(music[0], before)
    assert batch["next"].dtype == torch.float32


def test_the_parts_of_a_piece_are_in_the_same_split(splits):
    pieces = 0
    for split in (splits.train, splits.validation, splits.test):
        begins = in_order(split)["begins"]
        assert bool(begins[0])
        assert 0 < int(begins.sum()) < len(split)
        pieces += int(begins.sum())
    assert pieces == 30


def test_a_transposed_piece_keeps_its_chords_and_what_follows(splits):
    change = Augmentation(Augment(transpose=5), "music", torch.device("cpu"))
    plain, moved = (
        next(Batches(splits.train, 20, 20, 0, 0, 1, it).steps(0))[0] for it in (None, change)
    )
    shifts = set()
    for row in range(20):
        before, after = (it[row].nonzero() for it in (plain["next"], moved["next"]))
        (shift,) = set((after - before)[:, 1].tolist())
        shifts.add(shift)
        given = plain["music"][row].roll(shift, 1)
        assert torch.equal(given, moved["music"][row])
    assert len(shifts) > 4
    assert max(map(abs, shifts)) <= 5


def test_a_carried_state_begins_anew_with_each_piece(tmp_path):
    spec = steps.job(
        model={"name": "lstm", "hidden": 8, "dropout": 0.0},
        data={
            **MADE,
            "batch_size": 4,
            "carry_state": True,
        },
    )
    engine, batches = steps.engine_of(spec, tmp_path)
    made, nets = engine.architecture, engine.unwrapped
    _, state = made.carried_loss(nets, next(batches.steps(0))[0], "model", None)
    batch = next(batches.steps(0, 1))[0]
    for begins in (True, False):
        batch["begins"] = torch.full_like(batch["begins"], begins)
        carried, _ = made.carried_loss(nets, batch, "model", state)
        fresh = made.loss(nets, batch, "model")
        assert torch.equal(carried.total, fresh.total) == begins


@needs("jsb_chorales")
@pytest.mark.parametrize("resolution, frames", [("quarter", 60), ("16th", 241)])
def test_bachs_chorales_have_the_usual_splits(resolution, frames):
    source = JSBChorales(name="jsb_chorales", resolution=resolution, length=5000)
    facts = reading.describe(source, ROOT)
    assert (facts.train, facts.validation, facts.test) == (229, 76, 77)
    splits = reading.load(source, ROOT)
    mean = float(splits.train.ragged["music"].lengths.float().mean())
    assert mean == pytest.approx(frames, abs=1)


def test_mido_is_asked_for_once_whatever_the_number_of_files(tmp_path, monkeypatch):
    for number in range(3):
        (tmp_path / f"{number}.mid").touch()
    monkeypatch.setitem(sys.modules, "mido", None)
    with pytest.raises(UserError) as caught:
        reading.describe(Midi(name="midi", path=str(tmp_path)), tmp_path)
    assert str(caught.value) == (
        "reading MIDI files needs the package mido, which is not installed\n"
        "pip install 'hpcdl[music]'"
    )
