"""Classification of the nodes of a graph."""

from __future__ import annotations

from hpc_dl.tasks.classify import Classification


class NodeClassification(Classification):
    """Classification whose examples are nodes: (N, classes) logits of a graph of N nodes."""

    of_nodes = True
