"""Clips as users give them to `predict`."""

import shutil

import numpy as np
import pytest

from hpc_dl.errors import UserError
from hpc_dl.predictor.videos import Videos
from tests.support.clips import frames, video

VIDEOS = Videos((4, 1, 6, 8), resized=True)


def test_a_folder_of_frames_is_read_as_for_the_training(tmp_path):
    found = VIDEOS.batch(str(frames(tmp_path / "clip")))["video"]
    assert found.shape == (1, 4, 1, 6, 8)
    np.testing.assert_allclose(found[0, :, 0, 0, 0] * 255, [0, 10, 20, 30], rtol=1e-6)


def test_video_files_and_arrays_are_clips(tmp_path):
    given = [video(tmp_path / "0.mp4"), np.zeros((8, 6, 8), np.uint8), np.zeros((4, 6, 8, 1))]
    assert VIDEOS.batch(given)["video"].shape == (3, 4, 1, 6, 8)
    assert VIDEOS.batch({"video": np.zeros((2, 4, 1, 6, 8))})["video"].shape == (2, 4, 1, 6, 8)


def test_frames_of_an_array_are_taken_at_even_distances():
    clip = np.arange(0, 160, 20, dtype=np.uint8)[:, None, None] * np.ones((1, 6, 8), np.uint8)
    found = VIDEOS.batch(clip)["video"]
    np.testing.assert_allclose(found[0, :, 0, 0, 0] * 255, [20, 60, 100, 140], rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("nowhere.mp4", "there is no file or folder"),
        ([], "no clip was given"),
        (np.zeros((6, 8)), "no clip"),
        (np.zeros((0, 6, 8)), "no clip"),
        (np.zeros((4, 5, 8)), "has to be"),
        (np.full((4, 6, 8), 3.0), "from 0 to 1"),
        ("broken", "no readable clip"),
        ("empty", "has no frames"),
        ("covered", "differ in more than their numbers: 0.png and cover.png"),
    ],
)
def test_what_is_no_clip_is_refused(given, seen, tmp_path):
    if isinstance(given, str) and given == "broken":
        given = tmp_path / "broken.mp4"
        given.write_bytes(b"no video")
    elif isinstance(given, str) and given == "empty":
        given = tmp_path / "empty"
        given.mkdir()
    elif isinstance(given, str) and given == "covered":
        given = frames(tmp_path / "covered")
        shutil.copy(given / "0.png", given / "cover.png")
    with pytest.raises(UserError, match=seen):
        VIDEOS.batch(given)


def test_a_network_that_was_not_trained_on_files_takes_arrays():
    with pytest.raises(UserError, match="not trained on files"):
        Videos((4, 1, 6, 8), resized=False).batch("clip.mp4")
