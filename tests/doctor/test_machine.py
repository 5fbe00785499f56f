"""What the doctor says of folders, torch and the nodes' reports."""

import fcntl
import os

import pytest

from hpc_dl.doctor import finding, folder_trial, folders, nodes, torch_build
from hpc_dl.doctor.report import Report
from hpc_dl.planning.plan import Plan


def found(check, *args, **options):
    return finding.run("it", lambda: check(*args, **options))


def test_a_folder_that_is_not_there_is_tried_out_where_it_would_be_made(tmp_path):
    it = found(folders.runs, tmp_path / "runs", has_nodes=False)
    assert it.status == "ok", it
    assert f"{tmp_path / 'runs'}, not there yet" in it.found
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_a_file_in_place_of_a_folder_is_at_fault(tmp_path):
    (tmp_path / "runs").write_text("")
    it = found(folders.runs, tmp_path / "runs" / "mine", has_nodes=True)
    assert it.status == "fault"
    assert f"it cannot be written: {tmp_path / 'runs'} is no folder" in it.found


def test_a_folder_that_does_not_answer_is_at_fault(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "SECONDS", 0.01)
    it = found(folders.data, tmp_path, has_nodes=False)
    assert (it.status, "does not answer within 0.01 s" in it.found) == ("fault", True)


def test_a_lock_that_another_process_has_is_not_given(tmp_path):
    file = tmp_path / "file"
    file.touch()
    assert folder_trial.locks(file) == folder_trial.record_locks(file) == "exclusive"


@pytest.mark.parametrize("locks", ["flock", "lockf"])
def test_a_file_system_whose_locks_do_nothing_is_found_out(tmp_path, monkeypatch, locks):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(fcntl, locks, lambda *args: None)
    tried = {"flock": folder_trial.locks, "lockf": folder_trial.record_locks}
    assert tried[locks](file) == "useless"


def test_a_file_system_without_locks_is_found_out(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError(38, "Function not implemented")

    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(fcntl, "flock", fail)
    assert folder_trial.locks(file) == "none"


TORCH = {"torch": "2.13.0", "cuda": "13.0", "hip": None, "driver_cuda": "13.0", "gpus": ["H200"],
         "warnings": [], "seconds": 2.0}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({}, "ok", ""),
        ({"driver_cuda": "12.4", "gpus": []}, "fault", "needs driver 580 or newer"),
        ({"gpus": [], "warnings": ["bad fabric"]}, "fault", "torch sees no GPU: bad fabric"),
        ({"driver_cuda": None, "gpus": []}, "ok", "no GPU is usable here"),
        ({"cuda": None, "driver_cuda": None, "gpus": []}, "warning", "uses no GPUs"),
        ({"cuda": None, "hip": "6.4", "driver_cuda": None}, "ok", "ROCm 6.4"),
    ],
)
def test_torchs_build_is_compared_with_the_driver(monkeypatch, changes, status, words):
    monkeypatch.setattr(torch_build.child, "ask", lambda *args, **options: TORCH | changes)
    it = found(torch_build.examine, True)
    assert it.status == status
    assert words in it.found


SOCKETS = "NET/Socket : Using [0]eth0:10.0.0.1<0>"
INFINIBAND = "NET/IB : Using [0]mlx5_0:1/IB [RO]; OOB ib0:10.1.1.1<0>"
PLAN = {"run_dir": "/r", "backend": "slurm", "nodes": 2, "tasks_per_node": 1, "gpus_per_node": 0,
        "cpus_per_task": 1, "global_batch": 1, "rank_batch": 1, "micro_batch": 1,
        "steps_per_epoch": 1, "steps": 1, "epochs": 1, "seconds": 120, "data_root": "/d",
        "tracking_uri": "", "requeues": 0}  # fmt: skip


def findings(*reports: Report, ended: str = "") -> dict[str, finding.Finding]:
    plan = Plan(facts=None, **PLAN)  # type: ignore[arg-type]
    return {name: finding.run(name, it) for name, it in nodes.checks(plan, reports, ended).items()}


def rank(number: int, **found: object) -> Report:
    return Report(number, 0, f"n{number}", "done", **found)


def test_a_rank_of_which_nothing_is_heard_is_at_fault():
    it = findings(rank(0), ended="node failed")["nodes"]
    assert (it.status, "no word of rank 1: the job ended with node failed" in it.found) == (
        "fault",
        True,
    )


def test_a_rank_that_fails_is_named_with_what_it_was_at():
    failed = rank(1, error="cannot reach rank 0", hint="Name the network.")
    failed.stage = "the meeting of the ranks"
    it = findings(rank(0), failed)["nodes"]
    assert it.status == "fault"
    assert "rank 1 on n1, at the meeting of the ranks: cannot reach rank 0" in it.found
    assert it.advice == "Name the network."


def test_locks_that_two_nodes_have_at_once_are_at_fault():
    mine = rank(1, locks="useless", record_locks="exclusive", seen_after=0.1)
    it = findings(rank(0, seen_after=0.0), mine)["locks between nodes"]
    assert (it.status, "two nodes had one lock" in it.found) == ("fault", True)
    assert "localflock" in it.advice


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ({"interface": "ib0"}, {"interface": "ib0"}, "ib0"),
        ({"interface": "ib0"}, {"interface": "ib1"}, ""),
        ({"interface": "lo"}, {"interface": "lo"}, ""),
        ({"interface": "ib0"}, {"interface": "ib0", "bandwidth": None}, ""),
        ({"interface": "ib0"}, {"interface": ""}, ""),
        ({"interface": "ib0"}, {"interface": "ib0", "network": [SOCKETS]}, ""),
        ({"interface": "eth0"}, {"interface": "eth0", "network": [SOCKETS]}, "eth0"),
        ({"interface": "ib0"}, {"interface": "ib0", "network": [INFINIBAND]}, "ib0"),
    ],
)
def test_a_network_interface_is_that_of_the_site_where_all_ranks_name_it(first, second, found):
    reports = [rank(0, **{"bandwidth": 1.0, **first}), rank(1, **{"bandwidth": 1.0, **second})]
    assert nodes.interface(reports) == found


def test_ranks_of_one_node_say_nothing_of_the_network_between_nodes():
    reports = [Report(it, it, "n0", "done", interface="eth0", bandwidth=1.0) for it in (0, 1)]
    assert nodes.interface(reports) == ""


def test_clocks_that_differ_and_sockets_in_place_of_infiniband_are_warnings():
    network = [SOCKETS, "Using network Socket"]
    first = rank(0, clock_ahead=0.0, bandwidth=1.1, network=network, device="cuda")
    second = rank(1, clock_ahead=-90.0, bandwidth=1.2, network=network, device="cuda")
    its = findings(first, second)
    assert (its["clocks"].status, "n1 -90.0 s" in its["clocks"].found) == ("warning", True)
    reduced = its["all-reduce"]
    assert (reduced.status, "1.10 GB/s" in reduced.found) == ("warning", True)
    assert "NCCL uses sockets" in reduced.found
