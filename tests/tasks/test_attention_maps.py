"""Maps of attention are drawn of any texts, with their tokens as they stand."""

import pytest
import torch

from hpc_dl.tasks.pictures.attention import LONGEST, attention_maps

TOKENS = ["$10_$", "<b>", " the", "a\nb", "\\frac"]


@pytest.mark.parametrize("count, says", [(5, "(rows)"), (5000, f"the first {LONGEST} of each")])
def test_tokens_stand_beside_the_map_however_many_there_are(count, says, tmp_path):
    written = (TOKENS * count)[:count]
    truth = ["What $10_$ <b> means", "a\nb " * 1000, "", "z" * 5000]
    picture = attention_maps(torch.zeros(4, count, 5), [TOKENS] * 4, [written] * 4, truth)
    picture.save(tmp_path / "map.png", "step 1")
    assert picture.caption.endswith(says)
    axis = picture.figure.axes[0]
    shown = [it.get_text() for it in axis.get_yticklabels()]
    assert shown[:5] == ["$10_$", "<b>", "_the", "a\\nb", "\\frac"]
    assert axis.images[0].get_array().shape == (len(shown), 5)
    assert axis.get_xlabel() == "reference: What $10_$ <b> means"
