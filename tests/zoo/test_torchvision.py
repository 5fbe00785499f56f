"""torchvision's classifiers: all there are, for any classes, also from weights on disk."""

import pytest
import torch
from pydantic import ValidationError

from hpc_dl.errors import UserError
from hpc_dl.jobspec.architectures.torchvision import Torchvision as Options
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.torchvision import CLASSIFIERS
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.submission.prepare import check_files
from hpc_dl.torchvision_compat import torchvision
from hpc_dl.zoo.architectures.torchvision import IMAGENET, Torchvision

SMALL = "torchvision:shufflenet_v2_x0_5"
GREY = DataFacts.of("image", "classify", (1, 32, 32), tuple("0123456"), 10, 10, 10)


def network(name=SMALL, facts=GREY, **options):
    torch.manual_seed(0)
    return Torchvision(Options(name=name, **options), facts).networks()["model"]


def test_the_names_are_those_of_torchvision():
    models = torchvision("models")
    assert models.list_models(module=models) == CLASSIFIERS


def test_an_unknown_name_is_refused_and_similar_ones_are_named():
    with pytest.raises(ValidationError, match="no classifier 'resnet19'; it has resnet18"):
        Options(name="torchvision:resnet19")


def test_grey_images_are_repeated_and_standardised_as_in_imagenet():
    prepared, image = network(size=8).eval(), torch.rand(2, 1, 16, 16)
    prepared.network = torch.nn.Identity()
    seen = prepared(image)
    assert seen.shape == (2, 3, 8, 8)
    mean, deviation = (torch.tensor(IMAGENET[it])[:, None, None] for it in ("mean", "deviation"))
    grey = seen * deviation + mean
    torch.testing.assert_close(grey[:, 0], grey[:, 2])
    torch.testing.assert_close(grey.mean(), image.mean(), rtol=0.02, atol=0)


@pytest.mark.parametrize("name", [SMALL, "torchvision:squeezenet1_1", "torchvision:googlenet"])
def test_it_has_an_output_for_each_class(name):
    made = network(name)
    assert made.train()(torch.rand(2, 1, 32, 32)).shape == (2, 7)


def test_weights_on_disk_are_loaded_but_for_a_head_of_other_classes(tmp_path):
    file = tmp_path / "weights.pth"
    other = DataFacts.of("image", "classify", (3, 32, 32), ("a", "b", "c"), 10, 10, 10)
    torch.manual_seed(1)
    trained = torchvision("models").get_model("shufflenet_v2_x0_5", num_classes=3)
    torch.save(trained.state_dict(), file)
    plain, same, fewer = (
        network(),
        network(weights=str(file)),
        network(SMALL, other, weights=str(file)),
    )
    for name, weight in trained.state_dict().items():
        assert torch.equal(fewer.network.state_dict()[name], weight), name
        if name.startswith("fc."):
            assert torch.equal(same.network.state_dict()[name], plain.network.state_dict()[name])
        else:
            assert torch.equal(same.network.state_dict()[name], weight), name


def test_a_file_without_weights_or_with_another_networks_is_named(tmp_path):
    file = tmp_path / "weights.pth"
    file.write_text("no weights")
    with pytest.raises(UserError, match=r"weights\.pth cannot be read"):
        network(weights=str(file))
    torch.save([1, 2], file)
    with pytest.raises(UserError, match="holds no state dict"):
        network(weights=str(file))
    torch.save(torchvision("models").get_model("squeezenet1_1").state_dict(), file)
    with pytest.raises(UserError, match="is of another network"):
        network(weights=str(file))


def test_a_file_that_is_not_there_is_refused_before_anything_runs():
    spec = {
        "name": "x",
        "model": {"name": SMALL, "weights": "nowhere.pth"},
        "data": {"name": "digits"},
        "train": {"epochs": 1},
    }
    with pytest.raises(SpecConflict, match=r"there is no file nowhere\.pth") as caught:
        check_files(JobSpec.model_validate(spec), GREY)
    assert caught.value.key == "model.weights"


def test_images_that_are_too_small_are_refused_with_a_hint():
    with pytest.raises(UserError, match="vit_b_32 does not take images of 32 x 32") as caught:
        network("torchvision:vit_b_32")
    assert "model.size" in caught.value.hint
