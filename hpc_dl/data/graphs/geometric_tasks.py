"""torch_geometric's data sets that are of other tasks than classes or targets. Light."""

from __future__ import annotations

from hpc_dl.errors import UserError

_OTHERS = {
    "nodes of several types": "AMiner AmazonBook DBLP DBP15K FakeHeteroDataset HGBDataset HM "
    "IGMCDataset IMDB LastFM MovieLens MovieLens100K MovieLens1M OGB_MAG OPFDataset OSE_GVCS RCDD "
    "Taobao",
    "edges to predict": "FB15k_237 RelLinkPredDataset Wikidata5M WordNet18 WordNet18RR",
    "events in time": "BitcoinOTC GDELT GDELTLite ICEWS18 JODIEDataset MyketDataset",
    "points without edges": "CoMA DynamicFAUST FAUST GeometricShapes MedShapeNet ModelNet "
    "PCPNetDataset S3DIS SHREC2016 ShapeNet TOSCA Teeth3DS",
    "pairs of graphs": "GEDDataset PascalPF PascalVOCKeypoints WILLOWObjectClass",
    "texts": "CWQDataset GitMolDataset MoleculeGPTDataset WebQSPDataset",
    "hypergraphs": "CornellTemporalHyperGraphDataset",
}
"""What they have instead, and their names."""


def refuse_others(name: str) -> None:
    """Raise UserError for a data set of another task, before its gigabytes are fetched."""
    for what, names in _OTHERS.items():
        if name.split(":")[1] in names.split():
            raise UserError(
                f"{name} has {what}, and no class or target for each node or graph of one type",
                hint="A function of your own may return graphs of it: "
                "data.name: my_code.py:my_dataset.",
            )
