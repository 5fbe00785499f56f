"""Clusters for tests, as Slurm would describe them."""

from hpc_dl.scheduler.slurm.cluster import Cluster, Nodes, Partition

A100, V100 = Nodes(3, 64, 500_000, {"a100": 4}, "idle"), Nodes(5, 40, 180_000, {"v100": 2}, "mixed")


def cluster(**config: str) -> Cluster:
    """A cluster with a partition of CPUs, which is the default, and one of two types of GPUs."""
    cpu = {"Default": "YES", "MaxTime": "7-00:00:00", "State": "UP"}
    gpu = {"MaxTime": "1-00:00:00", "State": "UP", "AllowAccounts": "vision,speech"}
    partitions = [
        Partition("cpu", cpu, [Nodes(10, 128, 250_000, {}, "idle")]),
        Partition("gpu", gpu, [A100, V100]),
    ]
    return Cluster({"ClusterName": "alps", "SLURM_VERSION": "23.11.1", **config}, partitions)
