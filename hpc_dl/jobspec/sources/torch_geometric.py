"""Options of torch_geometric's data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from hpc_dl.jobspec.data import Fraction, LibraryData
from hpc_dl.jobspec.facts import Modality, Task

NAMED = {
    "TUDataset": "AIDS COLLAB DD ENZYMES IMDB-BINARY IMDB-MULTI MUTAG NCI1 NCI109 PROTEINS PTC_MR "
    "REDDIT-BINARY REDDIT-MULTI-5K",
    "Amazon": "Computers Photo",
    "Coauthor": "CS Physics",
    "WebKB": "Cornell Texas Wisconsin",
    "WikipediaNetwork": "chameleon squirrel",
}
"""Data sets that go by a `name` of their class, to suggest them."""


class TorchGeometric(LibraryData):
    """A data set of torch_geometric, of one graph or many; other keys go to its own class."""

    library: ClassVar[str] = "torch_geometric"
    modalities: ClassVar[tuple[Modality, ...]] = ("graph",)
    tasks: ClassVar[tuple[Task, ...]] = ("classify_nodes", "classify", "regress")
    paths: ClassVar[tuple[str, ...]] = ("root",)
    others: ClassVar[Mapping[str, str]] = {
        "nodes of several types": "AMiner AmazonBook DBLP DBP15K FakeHeteroDataset HGBDataset HM "
        "IGMCDataset IMDB LastFM MovieLens MovieLens100K MovieLens1M OGB_MAG OPFDataset OSE_GVCS "
        "RCDD Taobao",
        "edges to predict": "FB15k_237 RelLinkPredDataset Wikidata5M WordNet18 WordNet18RR",
        "events in time": "BitcoinOTC GDELT GDELTLite ICEWS18 JODIEDataset MyketDataset",
        "points without edges": "CoMA DynamicFAUST FAUST GeometricShapes MedShapeNet ModelNet "
        "PCPNetDataset S3DIS SHREC2016 ShapeNet TOSCA Teeth3DS",
        "pairs of graphs": "GEDDataset PascalPF PascalVOCKeypoints WILLOWObjectClass",
        "texts": "CWQDataset GitMolDataset MoleculeGPTDataset WebQSPDataset",
        "hypergraphs": "CornellTemporalHyperGraphDataset",
    }

    name: str = Field(
        pattern=r"^torch_geometric:\w+(:[\w-]+)?$",
        description="torch_geometric:TUDataset:MUTAG; what follows the second colon is the `name` "
        "that the class takes",
    )
    root: str | None = Field(
        None, description="where it is staged; `torch_geometric` in the site's data folder if unset"
    )
    test: Fraction = Field(0.1, description="share kept for the test where none is marked")

    @classmethod
    def members(cls) -> Sequence[str]:
        several = [f"{kind}:{name}" for kind, names in NAMED.items() for name in names.split()]
        return [*several, *super().members()]
