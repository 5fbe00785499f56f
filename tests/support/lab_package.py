"""A laboratory's package that is installed beside hpcdl: it adds an architecture, a source of data
and a task."""

from pathlib import Path

FILES = {
    "lab_zoo/__init__.py": "",
    "lab_zoo/options.py": '''
from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.model import Model


class LabOptions(Model):
    """A network of our laboratory: dense, and thin."""

    network_module: ClassVar[str] = "lab_zoo.networks"
    tasks: ClassVar[tuple[str, ...]] = ("classify", "lab_rank")

    name: Literal["lab_net"]
    width: PositiveInt = Field(8, description="units of the hidden layer")
''',
    "lab_zoo/networks.py": """
import math

from torch import nn

from hpc_dl.zoo.supervised import Supervised


class LabNet(Supervised):
    def network(self):
        pixels, it = math.prod(self.facts.shape), self.options
        out = nn.Linear(it.width, self.facts.outputs)
        return nn.Sequential(nn.Flatten(), nn.Linear(pixels, it.width), nn.ReLU(), out)
""",
    "lab_zoo/data_options.py": '''
from typing import ClassVar, Literal

from pydantic import Field

from hpc_dl.jobspec.data import Data


class LabData(Data):
    """Pictures of our laboratory's microscope."""

    source_module: ClassVar[str] = "lab_zoo.data_source"
    tasks: ClassVar[tuple[str, ...]] = ("lab_rank",)
    paths: ClassVar[tuple[str, ...]] = ("path",)

    name: Literal["lab_cells"]
    path: str = Field(description="a file with the number of pictures")
''',
    "lab_zoo/data_source.py": """
from pathlib import Path

from hpc_dl.data.splits.counts import Holdout, split_counts
from hpc_dl.data.source import Source
from hpc_dl.jobspec.facts import DataFacts
from lab_zoo.data_options import LabData


class LabSource(Source[LabData]):
    @property
    def count(self):
        return int(Path(self.options.path).read_text())

    def describe(self):
        sizes = split_counts({"train": self.count}, Holdout.of(self.options))
        return DataFacts.of("image", "lab_rank", (1, 8, 8), ("alive", "dead"), *sizes)

    def load(self):
        import torch

        from hpc_dl.data.dataset import Split

        label = torch.arange(self.count) % 2
        image = label.float()[:, None, None, None].expand(-1, 1, 8, 8).contiguous()
        return self.describe(), {"train": Split({"image": image, "label": label})}
""",
    "lab_zoo/tasks.py": '''
from hpc_dl.tasks.classify import Classification
from hpc_dl.zoo.contract import Loss, MonitoredMetric


class Rank(Classification):
    """Ordered classes, and how far off the predicted one is."""

    monitored = MonitoredMetric("distance", "min")

    def measure(self, outputs, batch):
        distance = (outputs.argmax(dim=1) - batch["label"]).abs().float()
        return {"loss": self.loss(outputs, batch), "distance": Loss(distance.sum(), len(distance))}
''',
    "lab_zoo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: lab-zoo\nVersion: 1.0\n",
    "lab_zoo-1.0.dist-info/entry_points.txt": """
[hpc_dl.architectures]
lab_net = lab_zoo.options:LabOptions

[hpc_dl.sources]
lab_cells = lab_zoo.data_options:LabData

[hpc_dl.tasks]
lab_rank = lab_zoo.tasks:Rank
""",
}


def install(folder: Path) -> Path:
    """Write the package into a folder as pip would; on Python's path it is installed."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"))
    return folder
