"""The attention encoder looks at squares or steps as the formula says."""

import pytest
import torch

from hpc_dl.jobspec.architectures.transformer import Transformer as Options
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.compatibility import SpecConflict, check
from hpc_dl.zoo.architectures.transformer import Transformer

IMAGES = DataFacts.of("image", "classify", (1, 28, 28), tuple("0123456789"), 10, 10, 10)
SEQUENCES = DataFacts.of("sequence", "classify", (6, 3), ("a", "b"), 10, 10, 10)


def network(facts=IMAGES, **options):
    torch.manual_seed(0)
    made = Transformer(Options(name="transformer", width=8, heads=2, **options), facts)
    return made.networks()["model"].eval()


def test_attention_equals_the_equation():
    """softmax(Q Kᵀ / √d) V, of two heads of four numbers each."""
    attention, parts = network().layers.layers[0].self_attn, torch.rand(3, 6, 8)
    mixed = parts @ attention.in_proj_weight.T + attention.in_proj_bias
    query, key, value = (it.unflatten(2, (2, 4)).transpose(1, 2) for it in mixed.chunk(3, dim=2))
    looked = (query @ key.transpose(2, 3) / 4**0.5).softmax(dim=3) @ value
    by_hand = attention.out_proj(looked.transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(parts, parts, parts)[0], by_hand)


@pytest.mark.parametrize("patch", [1, 2, 4, 7, 14, 28])
def test_every_patch_has_its_own_embedding(patch):
    """A change in the middle of a square is seen there and, of even squares, by neighbours."""
    cut, image = network(patch=patch).enter, torch.rand(1, 1, 28, 28)
    row = 28 // patch
    seen = cut(image)
    assert seen.shape == (1, row * row, 8)
    number = row * row // 2
    top, left = (patch * it + patch // 2 for it in divmod(number, row))
    changed = image.clone()
    changed[:, :, top, left] += 1
    differs = (cut(changed) != seen).any(dim=2).nonzero()[:, 1].tolist()
    assert number in differs
    assert set(differs) <= {number, number + 1, number + row, number + row + 1}


def test_without_position_embeddings_the_order_does_not_matter():
    encoder, sequence = network(SEQUENCES), torch.rand(2, 6, 3)
    turned = sequence.flip(1)
    assert not torch.allclose(encoder(turned), encoder(sequence))
    with torch.no_grad():
        encoder.place.zero_()
    torch.testing.assert_close(encoder(turned), encoder(sequence))


def test_patches_that_do_not_fill_the_image_are_refused_and_others_are_named():
    spec = {
        "name": "x",
        "model": {"name": "transformer", "patch": 5},
        "data": {"name": "mnist"},
        "train": {"epochs": 1},
    }
    with pytest.raises(SpecConflict, match="28 x 28 pixels are not cut into") as caught:
        check(JobSpec.model_validate(spec), IMAGES, None)
    assert caught.value.key == "model.patch"
    assert "1, 2, 4, 7, 14, 28" in caught.value.hint


def test_heads_that_do_not_share_the_width_are_refused():
    with pytest.raises(ValueError, match="3 heads cannot share a width of 64"):
        Options(name="transformer", heads=3)
