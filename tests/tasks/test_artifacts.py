"""An artifact is a picture, a text or a file."""

from PIL import Image

from hpc_dl.tasks.artifacts import File, Picture, Text
from hpc_dl.tasks.pictures import figure


def test_a_picture_is_saved_with_its_caption_drawn(tmp_path):
    picture, path = Picture(figure(2, 2)[0], "Digits"), tmp_path / "a.png"
    picture.save(path, ", step 3")
    assert Image.open(path).size == (260, 260)
    assert picture.figure.get_suptitle() == "Digits, step 3"


def test_a_text_is_saved_under_its_caption(tmp_path):
    Text("To be, ñ", "A sample").save(tmp_path / "a.txt", ", step 3")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "A sample, step 3\n\nTo be, ñ\n"


def test_a_file_is_saved_as_it_is(tmp_path):
    sound = File(b"RIFF\x00", ".wav", "Generated sound", generated=True)
    sound.save(tmp_path / f"a{sound.suffix}", ", step 3")
    assert (tmp_path / "a.wav").read_bytes() == b"RIFF\x00"
