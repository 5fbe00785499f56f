"""The diffusion model's chain, its noise and its sampling are what the papers say."""

import numpy as np
import pytest
import torch
from torch import nn

from hpc_dl.jobspec.architectures.diffusion import Diffusion as Options
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.zoo.architectures.diffusion import Diffusion, UNet, alpha_bar, time_step_embedding

DIGITS = DataFacts.of("image", "classify", (1, 8, 8), tuple("0123456789"), 1437, 180, 180)


def make(**options):
    torch.manual_seed(0)
    architecture = Diffusion(Options(name="diffusion", width=8, blocks=1, **options), DIGITS)
    return architecture, architecture.networks()


class Knowing(nn.Module):
    """Foretells the very noise by which `image` became what it is given."""

    def __init__(self, image, steps):
        super().__init__()
        self.image, self.left = image, alpha_bar(steps, torch.device("cpu"))

    def forward(self, state, t):
        left = self.left[t][:, None, None, None]
        return (state - left.sqrt() * self.image) / (1 - left).sqrt()


def test_the_closed_form_of_the_noise_agrees_with_the_chain():
    """q(x_t|x_0) against 20 000 walks along q(x_t|x_{t-1})."""
    torch.manual_seed(0)
    left = alpha_bar(50, torch.device("cpu"))
    beta = 1 - left / torch.cat([torch.ones(1), left[:-1]])
    state = torch.full((20_000,), 0.8)
    for t in range(30):
        state = (1 - beta[t]).sqrt() * state + beta[t].sqrt() * torch.randn_like(state)
    architecture, _ = make(steps=50)
    start, noise = torch.full((20_000, 1, 1, 1), 0.8), torch.randn(20_000, 1, 1, 1)
    closed = architecture.add_noise(start, torch.full((20_000,), 29), noise)
    assert closed.mean().item() == pytest.approx(state.mean().item(), abs=0.02)
    assert closed.std().item() == pytest.approx(state.std().item(), rel=0.02)
    assert closed.mean().item() == pytest.approx(0.8 * left[29].sqrt().item(), abs=0.02)


@pytest.mark.parametrize("steps", [10, 1000])
def test_almost_nothing_is_left_of_an_image_at_the_last_time_step(steps):
    left = alpha_bar(steps, torch.device("cpu"))
    assert (left.diff() < 0).all()
    assert left[0] > 0.95
    assert left[-1] < 1e-3


def test_sampling_with_the_true_noise_gives_the_image():
    """DDIM is deterministic: with ε exact at every level it ends at x_0, from any noise."""
    architecture, _ = make(steps=100, sampling_steps=10)
    image = torch.rand(5, 1, 8, 8)
    nets = {"model": Knowing(2 * image - 1, 100)}
    states = architecture.sample(nets, torch.randn(5, 1, 8, 8))
    assert len(states) == 11
    torch.testing.assert_close(states[-1], image, atol=1e-3, rtol=0)


def test_the_loss_of_the_true_noise_is_zero_and_of_none_one():
    architecture, _ = make()
    image = torch.rand(2000, 1, 8, 8)
    knowing = Knowing(2 * image - 1, 1000)
    known = architecture.loss({"model": knowing}, {"image": image}, "model")
    assert (known.total / known.count).item() == pytest.approx(0, abs=1e-4)
    silent = architecture.loss(
        {"model": lambda state, t: torch.zeros_like(state)}, {"image": image}, "model"
    )
    assert (silent.total / silent.count).item() == pytest.approx(1, rel=0.02)


def test_the_embeddings_of_time_steps_differ():
    told = time_step_embedding(torch.arange(1000), 48)
    assert told.shape == (1000, 48)
    assert torch.pdist(told[::7]).min() > 0.1


@pytest.mark.parametrize("side", [7, 8, 28])
def test_sides_that_the_patch_does_not_divide_are_padded(side):
    network = UNet(channels=3, width=8, blocks=1, patch=2)
    image = torch.rand(2, 3, side, side + 1)
    assert network(image, torch.tensor([3, 700])).shape == image.shape


def test_the_same_noise_gives_the_same_samples_whatever_else_is_random():
    architecture, nets = make(steps=20, sampling_steps=3)
    drawn = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        with torch.no_grad():
            pictures = architecture.artifacts(nets, {"image": torch.rand(4, 1, 8, 8)}, [])
        assert set(pictures) == {"samples", "way"}
        drawn.append({name: picture.pixels() for name, picture in pictures.items()})
    assert all(np.array_equal(drawn[0][name], drawn[1][name]) for name in drawn[0])
    assert all(pixels.std() > 1 for pixels in drawn[0].values())


def test_noise_goes_in_and_images_come_out():
    architecture, nets = make(steps=20, sampling_steps=3)
    given = architecture.inputs({"image": torch.rand(4, 1, 8, 8)})
    with torch.no_grad():
        made = architecture.predict(nets, given)["image"]
    assert made.shape == (4, 1, 8, 8)
    assert 0 <= made.min() < made.max() <= 1
