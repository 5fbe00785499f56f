"""The fingerprint of data: what changes it, what does not, and in what two differ."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch
from PIL import Image

from hpc_dl.data import fingerprint
from hpc_dl.data.dataset import Split
from hpc_dl.data.graphs import geometric
from hpc_dl.data.splits.counts import Holdout
from hpc_dl.data.tensor_digests import digests
from hpc_dl.jobspec.architectures.ffnn import FeedForward
from hpc_dl.jobspec.architectures.torchvision import Torchvision
from hpc_dl.jobspec.sources.arrays import Npz
from hpc_dl.jobspec.sources.digits import Digits
from hpc_dl.jobspec.sources.image_folder import ImageFolder
from hpc_dl.jobspec.sources.karate import Karate
from hpc_dl.jobspec.sources.tables import Csv
from hpc_dl.jobspec.sources.user import UserData
from tests.support import reading

HERE = Path()
MODEL = FeedForward(name="ffnn")


def of(source, model=MODEL, root=HERE):
    return reading.take_fingerprint(source, model, root, reading.describe(source, root, root))


@pytest.fixture
def pictures(tmp_path):
    """Three pictures in each of two classes, as a source."""
    for label in ("cat", "dog"):
        for number in range(3):
            path = tmp_path / "pictures" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 4), 9 * number + 100 * (label == "dog")).save(path)
    return ImageFolder(name="image_folder", root=str(tmp_path / "pictures"), validation=0.2)


def elsewhere(source, tmp_path):
    """The same pictures, copied and touched."""
    shutil.copytree(source.root, tmp_path / "copy")
    for path in (tmp_path / "copy").rglob("*.png"):
        os.utime(path, (1, 1))
    return source.model_copy(update={"root": str(tmp_path / "copy")})


def test_a_copy_elsewhere_that_was_touched_is_the_same_data(pictures, tmp_path):
    assert of(elsewhere(pictures, tmp_path)) == of(pictures)


def test_labels_that_were_exchanged_are_found_with_the_files(pictures):
    before, root = of(pictures), Path(pictures.root)
    (root / "cat").rename(root / "other")
    (root / "dog").rename(root / "cat")
    (root / "other").rename(root / "dog")
    after = of(pictures)
    assert after.digest != before.digest
    assert before.difference(after) == "6 changed, the first is cat/0.png"


def test_pictures_that_were_changed_added_and_removed_are_named(pictures):
    before, root = of(pictures), Path(pictures.root)
    Image.new("L", (4, 4), 77).save(root / "cat" / "1.png")
    (root / "dog" / "2.png").rename(root / "dog" / "3.png")
    assert before.difference(of(pictures)) == (
        "cat/1.png changed; dog/3.png added; dog/2.png removed"
    )
    assert not before.difference(before)


def test_many_files_are_told_apart_by_size_and_time_and_kept_by_folder(
    pictures, tmp_path, monkeypatch
):
    monkeypatch.setattr(fingerprint, "MOST_FILES", 5)
    before, path = of(pictures), Path(pictures.root) / "dog" / "1.png"
    assert sorted(before.parts) == ["cat/", "dog/"]
    os.utime(path, (1, 1))
    assert before.difference(of(pictures)) == "dog/ changed"


def test_large_files_are_told_apart_by_size_and_time(pictures, monkeypatch):
    monkeypatch.setattr(fingerprint, "MOST_BYTES", 5)
    before, path = of(pictures), Path(pictures.root) / "dog" / "1.png"
    assert of(pictures) == before
    os.utime(path, (1, 1))
    assert before.difference(of(pictures)) == "dog/1.png changed"


def test_a_table_whose_labels_were_inverted_is_another_of_the_same_size(tmp_path):
    table = pandas.DataFrame({"x": range(40), "y": [0, 1] * 20})
    path, apart = tmp_path / "t.csv", tmp_path / "test.csv"
    for file in (path, apart):
        table.to_csv(file, index=False)
    source = Csv(name="csv", path=str(path), test_path=str(apart), target="y")
    before, size, times = of(source), path.stat().st_size, path.stat()
    table.assign(y=1 - table["y"]).to_csv(path, index=False)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_size == size
    assert before.difference(of(source)) == "data.path changed"
    table.to_csv(path, index=False)
    assert of(source) == before
    table.assign(x=7).to_csv(apart, index=False)
    assert before.difference(of(source)) == "data.test_path changed"


def test_arrays_and_shipped_data_have_one(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.random.rand(20, 3), y=np.arange(20) % 2)
    source = Npz(name="npz", path=str(tmp_path / "a.npz"))
    before = of(source)
    np.savez(tmp_path / "a.npz", x=np.random.rand(20, 3), y=np.arange(20) % 2)
    assert before.difference(of(source)) == "data.path changed"
    assert list(of(Digits(name="digits")).parts) == ["digits"]
    assert of(Karate(name="karate")).digest


def test_weights_that_a_model_begins_from_are_part_of_it(tmp_path):
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"one")
    model = Torchvision(name="torchvision:resnet18", weights=str(weights))
    before = of(Digits(name="digits"), model)
    weights.write_bytes(b"two")
    after = of(Digits(name="digits"), model)
    assert before.difference(after) == "model.weights changed"


def test_what_an_own_source_returns_is_known_again_by_its_tensors(tmp_path):
    code = (
        "import torch\n"
        "def mine(flip=0, classes=('cat', 'dog')):\n"
        "    x = torch.arange(40.0)[:, None]\n"
        "    train = {'table': x, 'label': (torch.arange(40) + flip) % 2}\n"
        "    return {'train': train, 'classes': classes}\n"
    )
    (tmp_path / "mine.py").write_text(code)

    def parts(**options):
        source = UserData.model_validate({"name": "mine.py:mine", **options})
        facts, _ = reading.given(source, HERE, tmp_path)
        return reading.take_fingerprint(source, MODEL, HERE, facts)

    assert parts() == parts()
    assert parts().difference(parts(flip=1)) == "train/label changed"
    exchanged = parts(classes=["dog", "cat"])
    assert parts().difference(exchanged) == "the names of classes changed"


def test_graphs_are_known_by_nodes_edges_and_classes():
    from torch_geometric.data import Data

    def of_graphs(last_edge=2, last_class=1):
        edge = torch.tensor([[0, 1], [1, last_edge]])
        graphs = [Data(x=torch.ones(3, 1), edge_index=edge, y=torch.tensor([n])) for n in (0, 1)]
        graphs[-1].y = torch.tensor([last_class])
        many = geometric.from_many_graphs({"train": graphs * 5}, "these", Holdout())[1]
        nodes = Data(x=torch.ones(3, 1), edge_index=edge, y=torch.tensor([0, 1, last_class]))
        one = geometric.from_nodes(nodes, "this", Holdout(0.1, 0.3))[1]
        return dict(digests(many)), dict(digests(one))

    for before, edge, label in zip(of_graphs(), of_graphs(0), of_graphs(2, 0), strict=True):
        assert {name for name in before if before[name] != edge[name]} == {"train/edge"}
        assert {name for name in before if before[name] != label[name]} == {"train/label"}


def test_floats_may_differ_in_their_last_bits_and_in_no_more():
    table = torch.rand(1000, 7, generator=torch.Generator().manual_seed(0))

    def of_floats(tensor):
        parts = dict(digests({"train": Split({"target": tensor})}))
        return fingerprint.Fingerprint("", parts)

    before = of_floats(table)
    assert not before.difference(of_floats(table * (1 + 1e-7)))
    changed = table.clone()
    changed[500, 3] += 0.5
    swapped = table[[1, 0, *range(2, 1000)]]
    for other in (changed, swapped, 1 - table, 2 * table, table.flip(0), table.flip(1)):
        assert before.difference(of_floats(other)) == "train/target changed"


def test_large_numbers_do_not_hide_what_changes_beside_them_or_by_less():
    """Targets around -406757 that are shuffled, and a column beside times in seconds since 1970."""
    random = torch.Generator().manual_seed(0)
    small = torch.randn(2000, 1, generator=random, dtype=torch.float64)
    energy, time = 7 * small - 406757, 1.7e9 + 1e6 * small

    def of_floats(tensor):
        parts = dict(digests({"train": Split({"target": tensor})}))
        return fingerprint.Fingerprint("", parts)

    pairs = [
        (energy, energy.flip(0)),
        (energy, 2 * energy.mean() - energy),
        (torch.cat([time, small], 1), torch.cat([time, -small], 1)),
        (torch.cat([time, small], 1), torch.cat([time, small + 0.1], 1)),
    ]
    for before, after in pairs:
        assert of_floats(before).difference(of_floats(after)) == "train/target changed"
        assert not of_floats(before).difference(of_floats(before * (1 + 1e-8)))
    assert not of_floats(energy).difference(of_floats(energy.float()))


@pytest.mark.parametrize("digest", ["~0.1 nonsense 2", "~", "~1 2", "0"])
def test_a_digest_that_is_damaged_or_of_another_version_is_that_of_other_data(digest):
    now = dict(digests({"train": Split({"target": torch.rand(5, 2)})}))
    then = fingerprint.Fingerprint("", {"train/target": digest})
    assert then.difference(fingerprint.Fingerprint("", now)) == "train/target changed"


def test_of_tensors_also_shape_and_type_count():
    def of_tensor(tensor):
        return digests({"train": Split({"image": tensor})})

    zeros = torch.zeros(4, 2).long()
    assert of_tensor(zeros) == of_tensor(zeros.clone())
    assert of_tensor(zeros) != of_tensor(zeros.view(4, 1, 2))
    assert of_tensor(zeros) != of_tensor(zeros.int())


def test_a_picture_with_the_old_time_and_size_is_not_taken_from_the_cache(tmp_path):
    root = tmp_path / "pictures"
    for label, shade in (("a", 0), ("b", 255)):
        for number in range(6):
            (root / label).mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 4), shade).save(root / label / f"{number}.bmp")
    source = ImageFolder(name="image_folder", root=str(root), size=[4, 4], channels=1)
    before = reading.load(source, tmp_path, tmp_path).train
    for path in root.rglob("*.bmp"):
        times = path.stat()
        Image.new("L", (4, 4), 255 * (path.parent.name == "a")).save(path)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert path.stat().st_size == times.st_size
    after = reading.load(source, tmp_path, tmp_path).train
    assert torch.equal(after.tensors["image"], 255 - before.tensors["image"])
