"""Names that users gave, in columns of a terminal."""

from rich.cells import cell_len

from hpc_dl.cli.text_columns import align


def test_names_are_aligned_on_one_line_each_and_cannot_steer_the_terminal():
    cells = align(["class", "a\nb", "\x1b[31mred", "日本語", "\u202eabc", "[bold]x"])
    assert len({cell_len(it) for it in cells}) == 1
    assert [it.rstrip() for it in cells] == [
        "class",
        "a\\nb",
        "\\x1b[31mred",
        "日本語",
        "\\u202eabc",
        "[bold]x",
    ]


def test_of_long_names_beginning_and_end_are_shown():
    one, other = align([f"{'patient' * 20}_left", f"{'patient' * 20}_right"])
    assert one != other
    assert max(map(len, (one, other))) == 30


def test_numbers_stand_to_the_right():
    assert align(["train", "7"], to_right=True) == ["train", "    7"]
