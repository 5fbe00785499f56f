"""A name that is not known is answered with one of the same key, where it was written."""

import pytest

from hpc_dl.errors import UserError
from hpc_dl.jobspec import library_names, load


def refused(folder, section, value):
    """What is said of a spec with a section of its own."""
    sections = {"model": "{name: ffnn}", "data": "{name: digits}", "train": "{epochs: 1}"}
    lines = [f"{key}: {it}" for key, it in {**sections, section: value}.items()]
    (folder / "job.yaml").write_text("\n".join(["name: x", *lines]))
    with pytest.raises(UserError) as caught:
        load.load(folder / "job.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    "section, name, place, said",
    [
        ("data", "Fashion-MNIST", "3:14", "did you mean 'fashion_mnist'?"),
        ("data", "CIFAR10", "3:14", "did you mean 'cifar10'?"),
        ("data", "SVHN", "3:14", "did you mean 'torchvision:SVHN'?"),
        ("data", "kmnist", "3:14", "did you mean 'torchvision:KMNIST'?"),
        ("data", "MUTAG", "3:14", "did you mean 'torch_geometric:TUDataset:MUTAG'?"),
        ("data", "iris", "3:14", "did you mean 'csv'?"),
        ("data", "imagenet", "3:14", "did you mean 'image_folder'?"),
        ("data", "iris.csv", "3:14", "data: {name: csv, path: iris.csv}"),
        ("data", "iris.data", "3:14", "data: {name: csv, path: iris.data}"),
        ("data", "sales.CSV.gz", "3:14", "data: {name: csv, path: sales.CSV.gz}"),
        ("data", "scan.mat", "3:14", "data: {name: hdf5, path: scan.mat}"),
        ("data", "graph.pt", "3:14", "No source reads .pt files, but a function of yours may"),
        ("data", "Planetoid", "3:14", "did you mean 'cora'?"),
        ("data", "enwik8", "3:14", "did you mean 'text'?"),
        ("data", "./pictures", "3:14", "data: {name: image_folder, root: ./pictures}"),
        ("data", "mine.py", "3:14", "mine.py:my_dataset"),
        ("data", "'torchvision:CIFAR-10'", "3:14", "did you mean 'torchvision:CIFAR10'?"),
        ("data", "'torchvision:'", "3:14", "Write it like torchvision:CIFAR10"),
        ("data", "'https://x.org/a.csv'", "3:14", "get the file first"),
        ("data", "xyzzy", "3:14", "or your own, like my_code.py:my_dataset"),
        ("model", "FFNN", "2:15", "did you mean 'ffnn'?"),
        ("model", "resnet50", "2:15", "did you mean 'torchvision:resnet50'?"),
        ("model", "mlp", "2:15", "did you mean 'ffnn'?"),
        ("model", "gcn", "2:15", "did you mean 'gnn'?"),
        ("model", "mine.py", "2:15", "mine.py:MyNet"),
        ("model", "xyzzy", "2:15", "torchvision:NAME, or your own, like my_code.py:MyNet"),
        ("model", "'mine.py:'", "2:15", "Write it like my_code.py:MyNet"),
    ],
)
def test_a_wrong_name_is_answered_with_one_of_its_key(tmp_path, section, name, place, said):
    answer = refused(tmp_path, section, f"{{name: {name}}}")
    assert f"job.yaml:{place}: " in answer
    assert said in answer


@pytest.mark.parametrize("name", ["IMDB", "CocoDetection", "WordNet18"])
def test_no_data_set_is_suggested_whose_task_is_refused(tmp_path, name):
    assert f":{name}'" not in refused(tmp_path, "data", f"{{name: {name}}}")


@pytest.mark.parametrize(
    "key, said",
    [
        ("test_size", "'test'"),
        ("validation_split", "'validation'"),
        ("val", "'validation'"),
        ("k_folds", "'folds'"),
        ("BATCH", "'batch_size'"),
        ("seed", "'split_seed'"),
        ("group", "'groups'"),
    ],
)
def test_a_wrong_key_is_answered_with_one_of_the_same_words(tmp_path, key, said):
    answer = refused(tmp_path, "data", f"{{name: csv, path: a.csv, target: y, {key}: 3}}")
    assert f"unknown key '{key}' in data; did you mean {said}?" in answer


def test_upper_and_lower_case_are_one(tmp_path):
    answer = refused(tmp_path, "train", "{epochs: 1, optimizer: {name: SGD}}")
    assert "there is no train.optimizer 'SGD'; did you mean 'sgd'?" in answer


@pytest.mark.parametrize("name", ["zzz", "MyNet", "abc"])
def test_what_is_like_nothing_gets_no_guess_of_another_key(tmp_path, name):
    assert "did you mean" not in refused(tmp_path, "data", f"{{name: {name}}}").partition("\n")[0]


def test_data_sets_of_a_library_that_is_not_installed_are_none():
    assert library_names.dataset_classes("no_such_library") == ()
