"""Supervised networks of graphs, which examples share: their nodes, or graphs of a batch."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from hpc_dl.zoo.contract import Batch, Nets
from hpc_dl.zoo.supervised import Supervised


class OfGraphs(Supervised):
    """Base of supervised architectures over graphs; their networks are called with `node`, `edge`,
    and of several graphs `graph` and the number of `graphs`."""

    def inputs(self, sample: Batch) -> Batch:
        return {name: sample[name] for name in ("node", "edge", "graph") if name in sample}

    def outputs(self, nets: Nets, batch: Batch) -> Tensor:
        graphs = (len(batch["graphs"]),) if "graphs" in batch else ()
        return nets["model"](*self.inputs(batch).values(), *graphs)[batch["at"]]

    def predict(self, nets: Nets, batch: Batch) -> Mapping[str, Tensor]:
        """Predict for all nodes, or all graphs."""
        graphs = (int(batch["graph"].max()) + 1,) if "graph" in batch else ()
        return self.task.predict(nets["model"](*self.inputs(batch).values(), *graphs))
