"""Folders of clips."""

import numpy as np
import pytest
import torch

from hpc_dl import installed
from hpc_dl.data import loading, sources
from hpc_dl.data.video.clips import Clip, chosen, search, shown_at
from hpc_dl.data.video.reading import read
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.clip_folder import ClipFolder
from tests.support.clips import folder_of_clips, frames, video


def source(root, **options):
    small = {"frames": 4, "size": [6, 8], "channels": 1}
    return sources.build(ClipFolder(name="clip_folder", root=str(root), **small | options), root)


def test_frames_are_taken_at_even_distances():
    assert chosen(16, 4) == [2, 6, 10, 14]
    assert chosen(4, 4) == [0, 1, 2, 3]
    assert chosen(2, 4) == [0, 0, 1, 1]


def test_frames_of_a_film_whose_rate_varies_are_taken_at_even_times(tmp_path):
    assert shown_at(range(0, 160, 10), 4) == chosen(16, 4)
    assert shown_at([7], 4) == [0, 0, 0, 0]
    assert shown_at([0, 10, 20, 30, 100, 110], 3) == [2, 3, 5]
    file = video(tmp_path / "film.mkv", times=[0, 1, 2, 3, 30, 31])
    shades = read(Clip(file), source(tmp_path, frames=3).options)[:, 0, 0, 0]
    assert np.round(shades / 40).tolist() == [3, 3, 5]


def test_frame_10_comes_after_frame_9(tmp_path):
    folder_of_clips(tmp_path)
    frames(tmp_path / "walk" / "long", 12, name="frame{}.png")
    clip = search(str(tmp_path)).clips[tmp_path / "walk" / "long"]
    assert [it.name for it in clip.frames] == [f"frame{it}.png" for it in range(12)]


def test_a_clip_is_its_frames_in_order(tmp_path):
    train = loading.load(source(folder_of_clips(tmp_path))).train
    clip = train.batch(torch.tensor([0]))["video"][0]
    assert clip.shape == (4, 1, 6, 8)
    torch.testing.assert_close(clip[:, 0, 0, 0], torch.tensor([0.0, 10, 20, 30]) / 255)


def test_a_video_file_is_decoded(tmp_path):
    for name in ("jump", "walk"):
        for number in range(4):
            video(tmp_path / name / f"{number}.mp4")
    options = {"frames": 6, "test": 0.25, "validation": 0.25, "size": [16, 16]}
    train = loading.load(source(tmp_path, **options)).train
    grey = train.tensors["video"][0, :, 0].float().mean(dim=(1, 2))
    torch.testing.assert_close(grey, torch.arange(6) * 40.0, atol=4, rtol=0)


def test_streamed_clips_are_the_same(tmp_path):
    made = source(folder_of_clips(tmp_path))
    held, streamed = (loading.load(made, workers).train for workers in (None, 0))
    places = torch.tensor([5, 0])
    for name, value in held.batch(places).items():
        torch.testing.assert_close(streamed.batch(places)[name], value)


def test_clips_of_a_group_stay_together(tmp_path):
    made = source(folder_of_clips(tmp_path), groups=r"clip(\d)", test=0.25, validation=0.25)
    splits = loading.load(made)
    paths = made.clips.found.paths
    there = [
        {paths[it].name for it in split.index.tolist()}
        for split in (splits.train, splits.validation, splits.test)
    ]
    assert not there[0] & there[1] and not there[0] & there[2] and not there[1] & there[2]


def test_video_files_need_the_extra(tmp_path, monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(name)

    video(tmp_path / "walk" / "0.mp4")
    video(tmp_path / "jump" / "0.mp4")
    monkeypatch.setattr(installed.importlib, "import_module", absent)
    with pytest.raises(UserError) as caught:
        source(tmp_path).describe()
    assert "pip install 'hpcdl[video]'" in caught.value.hint
