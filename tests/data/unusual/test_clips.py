"""Folders of clips as users have them."""

import os
import shutil

import pytest
from PIL import Image

from tests.support.clips import folder_of_clips, frames, video
from tests.support.unusual_data import Case, check


def clips(change=lambda root: None, **options):
    """What makes a folder of clips, and changes something in it."""

    def make(folder):
        root = folder_of_clips(folder / "clips")
        change(root)
        sizes = {"frames": 4, "size": [8, 8], "channels": 1}
        return {"name": "clip_folder", "root": str(root), **sizes, **options}

    return make


def films(change=lambda root: None, suffix="mp4", codec="mpeg4", **options):
    """The same of video files."""

    def make(folder):
        for name in ("jump", "walk"):
            for number in range(4):
                video(folder / "clips" / name / f"{number}.{suffix}", codec=codec)
        change(folder / "clips")
        sizes = {"frames": 4, "size": [8, 8], "test": 0.25, "validation": 0.25}
        return {"name": "clip_folder", "root": str(folder / "clips"), **sizes, **options}

    return make


def cut(name, share=0.5):
    """What cuts a file off."""

    def change(root):
        whole = (root / name).read_bytes()
        (root / name).write_bytes(whole[: int(len(whole) * share)])

    return change


def write(name, raw):
    def change(root):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(raw)

    return change


def picture(name, size=(8, 6)):
    return lambda root: Image.new("L", size).save(root / name)


def refused(what, make, seen):
    return Case(what, make, "submission", seen)


CASES = [
    refused("no such folder", lambda _: {"name": "clip_folder", "root": "nowhere"}, "no folder"),
    refused(
        "a clip without frames",
        clips(lambda root: (root / "walk" / "empty").mkdir()),
        "clips without frames: walk/empty",
    ),
    refused(
        "a clip whose frames have another suffix",
        clips(write("walk/raw/0.cr2", b"raw")),
        "clips without frames: walk/raw…Known are",
    ),
    refused(
        "a picture among the clips",
        clips(picture("walk/thumbnail.png")),
        "pictures that lie directly in the folder of a class, but belong to no clip: "
        "walk/thumbnail.png…CLASS/CLIP/*.png",
    ),
    refused(
        "frames of differing sizes",
        clips(picture("walk/clip0/0.png", (4, 4))),
        "frames differ in size: 4 x 4 and 6 x 8 pixels: walk/clip0",
    ),
    refused(
        "a cover among the frames",
        clips(picture("walk/clip0/cover.png")),
        "differ in more than their numbers: walk/clip0/0.png and walk/clip0/cover.png",
    ),
    refused("a frame cut off", clips(cut("walk/clip0/0.png")), "walk/clip0/0.png is not"),
    refused(
        "an empty frame", clips(write("walk/clip0/0.png", b"")), "is not a readable picture: empty"
    ),
    refused(
        "a class without clips",
        clips(lambda root: (root / "run").mkdir()),
        "has no clip of class run",
    ),
    refused(
        "frames in the folders of classes, without clips",
        clips(
            lambda root: [
                shutil.move(str(it), root / it.parent.parent.name / f"{it.parent.name}{it.name}")
                for it in root.glob("*/*/*")
            ]
        ),
        "belong to no clip",
    ),
    refused("a video cut off", films(cut("walk/0.mp4")), "walk/0.mp4"),
    refused(
        "the beginning of a video",
        films(lambda root: os.truncate(root / "walk" / "0.mp4", 300)),
        "cut off or damaged: walk/0.mp4",
    ),
    refused("an AVI cut off", films(cut("walk/0.avi"), "avi"), "walk/0.avi"),
    refused("an MKV cut off", films(cut("walk/0.mkv", 0.6), "mkv"), "walk/0.mkv"),
    refused("an empty video", films(write("walk/0.mp4", b"")), "empty: walk/0.mp4"),
    refused(
        "a web page in the place of a video",
        films(write("walk/0.mp4", b"<html>404 not found</html>")),
        "damaged, or no video",
    ),
    refused("a video of zeros", films(write("walk/0.mp4", bytes(999))), "damaged, or no video"),
    refused(
        "a named pipe",
        films(lambda root: os.mkfifo(root / "walk" / "pipe.mp4")),
        "a named pipe, not a file: walk/pipe.mp4",
    ),
    refused(
        "a pattern of groups that does not match",
        clips(groups=r"subject(\d+)"),
        "data.groups: 'subject(\\d+)' does not match",
    ),
    Case("video files", films(), "trains"),
    Case("animated GIFs", films(suffix="gif", codec="gif"), "trains"),
    Case("AVI files, streamed", films(suffix="avi", loading="streaming"), "trains"),
    Case("folders of frames, streamed", clips(loading="streaming"), "trains"),
    Case(
        "clips with fewer frames than are taken",
        clips(frames=9),
        "trains",
        "16 clips have fewer than 9 frames (data.frames), of which some are taken several times",
    ),
    Case(
        "frames that are missing between others",
        clips(lambda root: (root / "walk" / "clip0" / "2.png").unlink()),
        "trains",
        "at unequal steps, as if some were missing: walk/clip0",
    ),
    Case(
        "black clips alone",
        clips(lambda root: [Image.new("L", (8, 6)).save(it) for it in root.rglob("*.png")]),
        "node",
        "every value is 0: there is nothing to learn from",
    ),
    Case(
        "videos beside folders of frames",
        clips(lambda root: video(root / "walk" / "9.mp4")),
        "trains",
    ),
    Case(
        "clips in folders of subjects",
        clips(lambda root: frames(root / "walk" / "subject1" / "9")),
        "trains",
    ),
    Case(
        "other files beside the clips",
        clips(write("walk/notes.txt", b"notes")),
        "trains",
        "files of classes that are not read: 1 .txt",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)
