"""The convolutional network slides the filters of the workshop's example, and pools."""

import pytest
import torch
from torch import nn

from hpc_dl.jobspec.architectures.cnn import Convolutional as Options
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.zoo.architectures.cnn import Convolutional, convolution

MNIST = DataFacts.of("image", "classify", (1, 28, 28), tuple("0123456789"), 54000, 6000, 10000)


def network(facts=MNIST, **options):
    return Convolutional(Options(name="cnn", **options), facts).networks()["model"]


def bits(rows):
    return torch.tensor([[float(bit) for bit in row] for row in rows.split()])[None, None]


def test_the_convolution_of_the_workshops_example():
    """Image 11100/01110/00111/00110/01100, filter 101/010/101: first value 4."""
    slide = convolution(1, 1, 3)
    with torch.no_grad():
        slide.weight.copy_(bits("101 010 101"))
        slide.bias.zero_()
        seen = slide(bits("11100 01110 00111 00110 01100"))
    inner = seen[0, 0, 1:-1, 1:-1]  # where the filter lies within the image
    assert inner.tolist() == [[4, 3, 4], [2, 4, 3], [2, 3, 4]]
    assert seen.shape == (1, 1, 5, 5)


def test_the_default_is_two_convolutions_and_two_dense_layers():
    kinds = [type(layer) for layer in network()]
    conv = [nn.Conv2d, nn.ReLU, nn.MaxPool2d]
    assert kinds == [*conv, *conv, nn.Flatten, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
    shapes = [tuple(it.weight.shape) for it in network() if hasattr(it, "weight")]
    assert shapes == [(32, 1, 3, 3), (64, 32, 3, 3), (128, 64 * 7 * 7), (10, 128)]


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 9), (1, 1, 1)])
def test_sides_of_any_length_are_pooled(shape):
    facts = DataFacts.of("image", "classify", shape, ("a", "b"), 10, 10, 10)
    assert network(facts)(torch.rand(4, *shape)).shape == (4, 2)


def test_shifting_an_image_shifts_the_feature_maps():
    torch.manual_seed(0)
    slide, image = convolution(1, 4, 5), torch.zeros(1, 1, 20, 20)
    image[:, :, 6:12, 6:12] = torch.rand(6, 6)
    moved = image.roll((2, 3), dims=(2, 3))
    torch.testing.assert_close(slide(moved), slide(image).roll((2, 3), dims=(2, 3)))


def test_real_numbers_are_predicted_too():
    facts = DataFacts.of("image", "regress", (1, 8, 8), (), 10, 10, 10, targets=("x", "y", "z"))
    assert network(facts)(torch.rand(4, 1, 8, 8)).shape == (4, 3)
