"""What the doctor says of a cluster, and of a site file that does not fit it."""

import dataclasses

import pytest

from hpc_dl.doctor import cluster as checks
from hpc_dl.doctor import finding
from hpc_dl.planning.site import Partition, Site
from hpc_dl.scheduler.slurm import cluster as slurm
from hpc_dl.scheduler.slurm.cluster import Accounting, Association
from tests.doctor.clusters import A100, cluster


def found(check, *args):
    return finding.run("it", lambda: check(*args))


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [
        ("(null)", {}),
        ("gpu:2", {"": 2}),
        ("gpu:a100:4(S:0-1)", {"a100": 4}),
        ("gpu:a100:4(S:0,2-3),gpu:v100:2(S:0),nvme:1", {"a100": 4, "v100": 2}),
        ("craynetwork:4,gpu:a100_1g.5gb:7", {"a100_1g.5gb": 7}),
        ("gpu", {"": 1}),
    ],
)
def test_gpus_are_read_from_slurms_gres(gres, gpus):
    assert slurm.gpus(gres) == gpus


def test_a_site_that_promises_no_more_than_slurm_has_is_in_order():
    said = {"cpu": Partition(max_time="2-00:00:00"), "gpu": Partition(gpus_per_node=4)}
    it = found(checks.partitions, cluster(), Site(name="alps", partitions=said))
    assert it.status == "ok"
    assert "gpu: 8 nodes of 64 CPUs, 500000 MB, 4 GPUs (a100, v100); up to 1-00:00:00" in it.found


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"max_time": "2-00:00:00"}, "max_time is 2-00:00:00, Slurm's 1-00:00:00"),
        ({"gpus_per_node": 8}, "gpus_per_node is 8, Slurm's 4"),
        ({"cpus_per_node": 65}, "cpus_per_node is 65, Slurm's 64"),
        ({"mem_per_node": "600G"}, "mem_per_node is 600G, Slurm's 500000M"),
    ],
)
def test_a_site_that_promises_more_than_slurm_has_is_at_fault(said, fault):
    site = Site(name="alps", partitions={"gpu": Partition(**said)})
    it = found(checks.partitions, cluster(), site)
    assert it.status == "fault"
    assert f"partition gpu: the site's {fault}" in it.found
    assert "hpcdl doctor --write-site" in it.advice


def test_a_partition_or_gpu_type_that_slurm_does_not_have_is_at_fault():
    site = Site(
        name="alps", default_partition="gpus", partitions={"gpu": Partition(gpu_type="A100")}
    )
    it = found(checks.partitions, cluster(), site)
    assert (it.status, "'gpus', which Slurm does not show" in it.found) == ("fault", True)
    assert "There are: cpu, gpu." in it.advice
    it = found(checks.gpu_types, cluster(), site)
    assert (it.status, "gpu_type is A100" in it.found) == ("fault", True)
    assert "Slurm knows a100, v100 there" in it.advice


def test_a_partition_whose_nodes_are_all_down_is_a_warning():
    whole = cluster()
    down = dataclasses.replace(
        whole.partitions[1], nodes=[dataclasses.replace(A100, state="down*")]
    )
    it = found(checks.partitions, dataclasses.replace(whole, partitions=[down]), Site(name="alps"))
    assert it.status == "warning"
    assert "gpu takes none of your jobs now: all its nodes are down*" in it.found
    assert "neither Slurm nor the site has a default partition" in it.found


@pytest.mark.parametrize(("enforced", "status"), [("safe,qos", "fault"), ("none", "warning")])
def test_an_account_or_qos_that_the_user_does_not_have(monkeypatch, enforced, status):
    own = Association("biology", "", ("normal", "long"), "normal", {"MaxSubmitJobs": "20"})
    accounting = Accounting([own], {"normal": {"MaxWall": "1-00:00:00"}, "long": {}})
    monkeypatch.setattr(slurm, "read_accounting", lambda cluster: accounting)
    alps = cluster(
        AccountingStorageType="accounting_storage/slurmdbd", AccountingStorageEnforce=enforced
    )
    it = found(checks.account, alps, Site(name="alps", account="physics", slurm={"qos": "short"}))
    assert it.status == status
    for words in ("account is physics", "qos is short", "(MaxSubmitJobs 20): QOS normal, long"):
        assert words in it.found
    assert "QOS normal (MaxWall 1-00:00:00)" in it.found
    assert "closed to them: gpu" in it.found
    assert "Write `account: biology`" in it.advice
    assert found(checks.account, alps, Site(name="alps", account="biology")).status == "ok"


def test_pre_emption_that_cancels_and_little_time_to_save_are_warnings():
    it = found(
        checks.requeue,
        cluster(PreemptType="preempt/qos", PreemptMode="GANG,CANCEL"),
        Site(name="alps"),
    )
    assert (it.status, "cancelled instead of requeued" in it.found) == ("warning", True)
    it = found(checks.signals, cluster(KillWait="5 sec"), Site(name="alps"))
    assert (it.status, "5 s may be too short" in it.found) == ("warning", True)
    assert found(checks.signals, cluster(KillWait="30 sec"), Site(name="alps")).status == "ok"


def test_what_cannot_be_asked_is_unknown_and_keeps_no_other_check(monkeypatch):
    def fail(cluster):
        raise slurm.client.error_of("sacctmgr", "unable to contact slurm persistant connection")

    monkeypatch.setattr(slurm, "read_accounting", fail)
    alps = cluster(AccountingStorageType="accounting_storage/slurmdbd")
    it = found(checks.account, alps, Site(name="alps"))
    assert (it.status, "cannot be reached" in it.found) == ("unknown", True)
