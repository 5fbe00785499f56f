"""An export has in it all that its network needs: it predicts elsewhere, with nothing beside it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

from hpc_dl.errors import UserError
from hpc_dl.jobspec.architectures import ZOO
from hpc_dl.predictor import load
from hpc_dl.torchvision_compat import torchvision
from tests.support import exports
from tests.support.exports import ASSETS, GREY, MEMBERS, RAW
from tests.support.snapshots import write

OWN = {
    "own/net.py": """
from pathlib import Path
import torch
from hpc_dl.zoo.supervised import Supervised
from own.layers import layer

class Net(Supervised):
    def network(self):
        width = int((Path(__file__).parent / "width.txt").read_text())
        network = torch.nn.Sequential(torch.nn.Flatten(), layer(width, self.facts.outputs))
        self.scale = torch.load(self.options.scale, weights_only=True)
        self.words = [Path(it["file"]).read_text() for it in self.options.words]
        return network

    def predict(self, nets, batch):
        assert self.words == ["one", "two"]
        return {name: it * self.scale for name, it in super().predict(nets, batch).items()}
""",
    "own/__init__.py": "",
    "own/layers.py": "import torch\ndef layer(a, b): return torch.nn.Linear(a, b)",
    "own/width.txt": "64",
    "elsewhere/words.txt": "one",
    "far/words.txt": "two",
}
"""A network of the user's own: modules and a file beside it, and files that its options name."""

OWN_PATH = """
import torch
from hpc_dl.zoo.supervised import Supervised

class Net(Supervised):
    def network(self):
        width = int(open("HERE/gone.txt").read())
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(width, self.facts.outputs))
"""
"""A network that names a file by its place on this machine."""

ELSEWHERE = """
import socket, sys
from pathlib import Path
import numpy as np

was, here = sys.argv[1:]

def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise OSError(f"the network is asked: {arguments}")
    if event == "open" and str(arguments[0]).startswith(was):
        raise OSError(f"{arguments[0]} is outside")

sys.addaudithook(watch)
from hpc_dl.predictor import load
for export in sorted(Path(here).iterdir()):
    with np.load(export / "given.npz") as given:
        said = load(export).predict(dict(given))
    np.savez(export / "said.npz", **said)
    if pictures := sorted(export.glob("*.png")):
        np.savez(export / "said_of_files.npz", **load(export).predict(pictures))
"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A folder of copies of the exports, with what they predict where nothing else is, and what
    they predicted before."""
    root = tmp_path_factory.mktemp("exports")
    was, here, expected = root / "was", root / "here", {}
    for name, (options, facts, code) in members(was).items():
        export = exports.export(was / "runs" / name.replace(" ", "-"), options, facts, code)
        if code:
            shutil.copytree(code, export / "code")
        if name in RAW:
            write(export / "assets", ASSETS)
        given = (
            exports.raw_inputs(facts)
            if name in RAW
            else exports.inputs(options, facts, code or was)
        )
        expected[export.name] = load(export).predict(given)
        np.savez(export / "given.npz", **given)
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(was / f"runs/cnn-of-colours/{number}.png")
    shutil.copytree(was / "runs", here)
    shutil.rmtree(was)
    predict_elsewhere(root / "home", was, here)
    return here, expected


def members(root):
    """Every architecture; some are trained with files that lie outside their exports."""
    found = {name: (*member, None) for name, member in (MEMBERS | RAW).items()}
    member = torchvision("models").get_model("shufflenet_v2_x0_5", num_classes=7)
    root.mkdir()
    torch.save(member.state_dict(), root / "weights.pt")
    options, facts = MEMBERS["torchvision"]
    found["with weights"] = {**options, "weights": str(root / "weights.pt")}, facts, None
    judge = exports.export(root / "judge", *MEMBERS["cnn"])
    for name in ("gan", "diffusion"):
        options, facts = MEMBERS[name]
        found[f"{name} with a classifier"] = {**options, "classifier": str(judge)}, facts, None
    code = write(root / "code", OWN)
    torch.save(torch.tensor(3), root / "scale.pt")
    words = [{"file": str(code / it / "words.txt")} for it in ("elsewhere", "far")]
    options = {"name": "own/net.py:Net", "scale": str(root / "scale.pt"), "words": words}
    found["own"] = options, GREY, code
    return found


@pytest.mark.slow
def test_every_export_predicts_the_same_in_another_place_and_offline(elsewhere):
    here, expected = elsewhere
    about = {place: (here / place / "model.json").read_text() for place in expected}
    names = {json.loads(it)["model"]["name"].partition(":")[0] for it in about.values()}
    assert names == {*ZOO, "own/net.py"}
    assert not [place for place, it in about.items() if f"{here.parent}/was" in it]
    for place, outputs in expected.items():
        with np.load(here / place / "said.npz") as said:
            assert set(said) == set(outputs)
            for name, values in outputs.items():
                np.testing.assert_array_equal(said[name], values, err_msg=f"{place}: {name}")


def predict_elsewhere(empty: Path, was: Path, here: Path) -> None:
    """Have a process predict that may open nothing of what was, and ask no network."""
    empty.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(was), str(here)],
        cwd=empty,
        env={
            "HOME": str(empty),
            "OMP_NUM_THREADS": "1",  # more would add up in another order
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "MPLCONFIGDIR": matplotlib.get_cachedir(),  # or it looks for fonts for seconds
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_predictions_of_image_files_are_those_of_arrays(elsewhere):
    here, _ = elsewhere
    pixels = np.stack([np.asarray(Image.open(here / f"cnn-of-colours/{n}.png")) for n in range(3)])
    expected = load(here / "cnn-of-colours").predict(pixels)
    with np.load(here / "cnn-of-colours/said_of_files.npz") as said:
        for name, values in expected.items():
            np.testing.assert_array_equal(said[name], values)


def test_an_older_export_does_not_need_its_pretrained_weights(tmp_path):
    options, facts = MEMBERS["torchvision"]
    export = exports.export(tmp_path / "export", options, facts)
    said = json.loads((export / "model.json").read_text())
    said["model"]["weights"] = "/gone/weights.pt"
    del said["files"], said["resized"]
    (export / "model.json").write_text(json.dumps(said))
    assert load(export).predict(np.zeros((1, 3, 32, 32)))["label"].shape == (1,)


def test_a_user_network_whose_file_is_gone_is_reported(tmp_path):
    gone = write(tmp_path / "code", {"own.py": OWN_PATH, "gone.txt": "64"}) / "gone.txt"
    export = exports.export(tmp_path / "export", {"name": "own.py:Net"}, GREY, tmp_path / "code")
    shutil.copytree(tmp_path / "code", export / "code")
    gone.unlink()
    with pytest.raises(UserError, match=rf"reads what is not there: No such file.*{gone}"):
        load(export)


@pytest.mark.parametrize(
    ("data", "resized"),
    [
        ({"name": "image_folder", "root": "x"}, True),
        ({"name": "torchvision:CIFAR10", "size": [32, 32]}, True),
        ({"name": "torchvision:CIFAR10"}, False),
        ({"name": "digits"}, False),
        ({"name": "mine.py:data", "size": 3}, False),
    ],
)
def test_images_are_resized_only_if_the_source_resized_them(tmp_path, data, resized):
    export = exports.export(tmp_path / "export", *MEMBERS["ffnn"], data=data)
    assert json.loads((export / "model.json").read_text())["resized"] == resized
