"""The game is the papers': its losses, penalty and turns; and what is drawn can be compared."""

import math

import pytest
import torch

from hpc_dl.jobspec.architectures.gan import GenerativeAdversarial as Options
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.compatibility import SpecConflict, check
from hpc_dl.zoo.architectures.gan import (
    GenerativeAdversarial,
    critic_loss,
    generator_loss,
    gradient_norms,
    interpolate,
    interpolate_codes,
)
from hpc_dl.zoo.contract import take
from tests.support import ranks
from tests.support.running import final_state, history, new_run

DIGITS = DataFacts.of("image", "classify", (1, 8, 8), tuple("0123456789"), 1437, 180, 180)
LOSSES = ("non-saturating", "wasserstein-gp", "hinge")


def make(facts=DIGITS, **options):
    torch.manual_seed(0)
    options = {"latent_dim": 5, "channels": [4, 8], **options}
    architecture = GenerativeAdversarial(Options(name="gan", **options), facts)
    return architecture, architecture.networks()


def images(count=6, shape=(1, 8, 8)):
    return {"image": torch.rand(count, *shape)}


def test_a_linear_critics_gradient_norm_is_the_length_of_its_weights():
    weight = torch.randn(1, 8, 8, requires_grad=True)
    probe = interpolate(torch.rand(6, 1, 8, 8), torch.rand(6, 1, 8, 8))
    norms = gradient_norms((weight * probe).sum(dim=(1, 2, 3)), probe)
    torch.testing.assert_close(norms, weight.norm().expand(6))
    norms.sum().backward()  # the penalty is descended: d|w|/dw = w/|w|
    torch.testing.assert_close(weight.grad, 6 * (weight / weight.norm()).detach())


def test_the_penalty_is_that_of_critics_whose_gradient_norm_is_not_one():
    torch.manual_seed(0)
    real, generated = torch.rand(2, 6, 1, 8, 8)
    architecture, _ = make(loss="wasserstein-gp", penalty=10.0)
    for slope in (0.5, 1.0, 3.0):
        weight = torch.full((1, 8, 8), slope / 8)
        loss = architecture._critic_loss(
            lambda *them, w=weight: tuple((w * it).sum(dim=(1, 2, 3)) for it in them),
            real,
            generated,
        )
        apart = (weight * (generated - real)).sum()
        penalty = 6 * 10.0 * (slope - 1) ** 2
        torch.testing.assert_close(loss.total, apart + penalty)
        assert float(loss.logs["gradient_norm"]) == pytest.approx(6 * slope, rel=1e-5)


def test_penalties_are_taken_at_images_between_real_and_generated_ones():
    real, generated = torch.zeros(500, 1, 2, 2), torch.ones(500, 1, 2, 2)
    probe = interpolate(real, generated).detach()
    share = probe.flatten(1)
    assert (share == share[:, :1]).all()  # of one image all pixels are as far
    assert share.min() >= 0
    assert share.max() <= 1
    assert share.mean() == pytest.approx(0.5, abs=0.05)


def test_losses_equal_those_of_the_papers():
    real, generated = torch.tensor([0.0, 2.0]), torch.tensor([0.0, -0.5])
    probability = [0.5, 1 / (1 + math.exp(-2))], [0.5, 1 / (1 + math.exp(0.5))]
    told_apart = [-math.log(r) - math.log(1 - g) for r, g in zip(*probability, strict=True)]
    assert critic_loss("non-saturating", real, generated).tolist() == pytest.approx(told_apart)
    fooled = [-math.log(g) for g in probability[1]]
    assert generator_loss("non-saturating", generated).tolist() == pytest.approx(fooled)
    assert critic_loss("hinge", real, generated).tolist() == [2.0, 0.5]
    assert generator_loss("hinge", generated).tolist() == [0.0, 0.5]
    assert critic_loss("wasserstein-gp", real, generated).tolist() == [0.0, -2.5]


@pytest.mark.parametrize("loss", LOSSES)
def test_an_update_changes_every_parameter_of_one_player_alone(loss):
    architecture, nets = make(loss=loss)
    batch = images()
    for player, other in (("critic", "generator"), ("generator", "critic")):
        before = {name: value.clone() for name, value in nets[other].state_dict().items()}
        for name, net in nets.items():  # as the engine does
            net.requires_grad_(name == player)
            net.zero_grad()
        architecture.loss(nets, batch, player).total.backward()
        assert all(p.grad is not None for p in nets[player].parameters())
        assert all(p.grad is None for p in nets[other].parameters())
        assert all(torch.equal(before[name], v) for name, v in nets[other].state_dict().items())


def test_a_loss_is_a_sum_over_images_however_the_batch_is_split():
    architecture, nets = make()
    batch = images()
    codes = torch.randn(6, 5)
    for player in architecture.players:
        sums = []
        for pieces in ([slice(0, 6)], [slice(0, 2), slice(2, 6)]):
            given = iter([codes[it] for it in pieces])
            architecture.sample_codes = lambda count, like, given=given: next(given)
            found = [architecture.loss(nets, take(batch, it), player) for it in pieces]
            assert sum(it.count for it in found) == 6
            sums.append(sum(it.total for it in found))
        torch.testing.assert_close(sums[0], sums[1])


def test_the_generator_is_updated_in_every_nth_step():
    architecture, _ = make(critic_steps=3)
    moves = ["generator" in architecture.updates(step) for step in range(6)]
    assert moves == [False, False, True, False, False, True]
    assert all("critic" in architecture.updates(step) for step in range(6))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 14)])
def test_images_of_any_size_are_generated_and_scored(shape):
    facts = DataFacts.of("image", "none", shape, (), 10, 2, 2)
    architecture, nets = make(facts)
    made = architecture.predict(nets, architecture.inputs(images(4, shape)))["image"]
    assert made.shape == (4, *shape)
    assert made.min() >= 0
    assert made.max() <= 1
    real, generated = nets["critic"](images(4, shape)["image"], made)
    assert real.shape == generated.shape == (4,)


def test_an_image_depends_on_its_own_code_alone():
    _, nets = make()
    codes = torch.randn(6, 5)
    together, alone = nets["generator"](codes), nets["generator"](codes[2:3])
    torch.testing.assert_close(together[2:3], alone)


def job(train=None, **options):
    sections = {"data": {"name": "digits"}, "train": {"steps": 1, **(train or {})}}
    return JobSpec.model_validate({"name": "x", "model": {"name": "gan", **options}, **sections})


def test_images_too_small_for_the_convolutions_are_refused():
    with pytest.raises(SpecConflict, match="8 pixels cannot be halved 4 times") as caught:
        check(job(channels=[4, 8, 16, 32]), DIGITS, None)
    assert caught.value.key == "model.channels"


def test_a_gradient_penalty_under_fsdp_is_refused():
    fsdp = {"strategy": "fsdp"}
    check(job(fsdp), DIGITS, None)
    with pytest.raises(SpecConflict, match="made of gradients") as caught:
        check(job(fsdp, loss="wasserstein-gp"), DIGITS, None)
    assert caught.value.key == "train.strategy"


def test_pictures_of_two_steps_are_of_the_same_codes():
    architecture, nets = make()
    drawn = []
    for seed in (1, 2):
        torch.manual_seed(seed)  # as the engine does, from the step
        with torch.no_grad():
            drawn.append(architecture.artifacts(nets, images(32), []))
    assert set(drawn[0]) == {"samples", "walk"}
    for name, picture in drawn[0].items():
        pixels = picture.pixels()
        assert (pixels == drawn[1][name].pixels()).all()
        assert pixels.std() > 1  # not a blank sheet


def test_a_walk_begins_and_ends_at_its_codes_and_stays_as_gaussian():
    torch.manual_seed(0)
    start, end = torch.randn(2, 2, 10_000)
    steps = interpolate_codes(start, end, 5).unflatten(0, (2, 5))
    torch.testing.assert_close(steps[:, 0], start)
    torch.testing.assert_close(steps[:, -1], end, atol=1e-5, rtol=1e-5)
    assert steps.std(dim=-1).sub(1).abs().max() < 0.03


@pytest.mark.parametrize("loss", ["wasserstein-gp"])
def test_the_penalty_is_differentiated_on_two_ranks_the_same_when_killed(tmp_path, loss):
    def job(name, size):
        return new_run(
            tmp_path,
            name=name,
            model={"name": "gan", "loss": loss, "channels": [4, 8], "critic_steps": 2},
            data={"name": "digits", "batch_size": 128},
            train={"steps": 12, "epochs": None, "log_every": 1, "ema_decay": 0.9},
            checkpoint={"every": "3 steps"},
            resources={"tasks_per_node": size, "cpus_per_task": 1},
        )

    calm = ranks.train(job("calm", 2))
    killed = job("killed", 2)
    ranks.kill_at(killed, 5)
    ranks.train(killed)
    assert final_state(killed) == final_state(calm)
    assert history(killed) == history(calm)
    norms = [v["train/critic/gradient_norm"] for _, v in history(calm) if "train/critic/loss" in v]
    assert all(math.isfinite(it) and it > 0 for it in norms)
