"""Ranks find each other whatever their host's name resolves to, or say at once why they cannot."""

import ctypes
import functools
import os
import socket
import subprocess
import time
from datetime import timedelta

import pytest
from torch.distributed import TCPStore

from hpc_dl.errors import EXIT_CLUSTER, UserError
from hpc_dl.run.failure import PeerGone
from hpc_dl.train import address, world
from tests.support import ranks
from tests.support.markers import nightly
from tests.support.running import final_state, new_run

NAMESPACES = subprocess.run(
    ["unshare", "--uts", "--mount", "true"], check=False, capture_output=True
)
NAME = "nowhere-7"
NEW_UTS, NEW_MOUNTS, BIND, PRIVATE = 0x04000000, 0x00020000, 4096, 0x44000


def rename(hosts: str) -> None:
    """Give this process a host name of its own, and the names in a file."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(NEW_UTS | NEW_MOUNTS) == 0
    assert libc.mount(None, b"/", None, PRIVATE, None) == 0
    assert libc.mount(hosts.encode(), b"/etc/hosts", None, BIND, None) == 0
    socket.sethostname(NAME)


@pytest.mark.skipif(NAMESPACES.returncode != 0, reason="namespaces are not to be had here")
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
@pytest.mark.parametrize("hosts", ["", nightly(f"192.0.2.1 {NAME}\n")], ids=["unknown", "foreign"])
def test_ranks_on_one_machine_meet_whatever_its_name_resolves_to(tmp_path, hosts, strategy):
    job = {"train": {"epochs": 1, "strategy": strategy}, "resources": {"tasks_per_node": 2}}
    file = tmp_path / "hosts"
    file.write_text(f"127.0.0.1 localhost\n{hosts}")
    run = new_run(tmp_path, **job)
    with ranks.ended(ranks.start(run, functools.partial(rename, str(file)), None)) as processes:
        for process in processes:
            process.join(60)
    printed = "".join(log.read_text() for log in run.logs.glob("*.log"))
    assert [process.exitcode for process in processes] == [0, 0], printed
    if strategy == "ddp":
        assert final_state(run) == final_state(ranks.train(new_run(tmp_path, **job)))


@pytest.fixture
def machine(monkeypatch):
    """A machine whose addresses, and those of its name, are what a test says."""

    def make(resolves_to, interfaces, leads_away=(), **environment):
        for name in (address.GLOO, address.NCCL, "SLURM_LAUNCH_NODE_IPADDR"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(address, "_interfaces", lambda: {"127.0.0.1": "lo", **interfaces})
        monkeypatch.setattr(address, "lookup", lambda host: list(resolves_to))
        monkeypatch.setattr(address, "_default_route", lambda: iter(leads_away))

    return make


IB, ETH = {"10.1.0.7": "ib0"}, {"10.0.0.7": "eth0"}


@pytest.mark.parametrize(
    "resolves_to, interfaces, leads_away, environment, chosen, told",
    [
        (["10.1.0.7"], {**ETH, **IB}, ["10.0.0.7"], {}, "10.1.0.7", None),
        (["127.0.1.1"], {**ETH, **IB}, ["10.1.0.7"], {}, "10.1.0.7", "ib0"),
        (["127.0.1.1", "10.0.0.7"], {**ETH, **IB}, [], {}, "10.0.0.7", "eth0"),
        (["2001:db8::7"], {**ETH, "2001:db8::7": "eth0"}, [], {}, "2001:db8::7", None),
        (["::1"], {"::1": "lo", "2001:db8::7": "eth0"}, [], {}, "2001:db8::7", "eth0"),
        ([], {**ETH, **IB}, ["10.0.0.7"], {}, "10.0.0.7", "eth0"),
        (["192.0.2.1"], {**ETH, **IB}, [], {}, "10.0.0.7", "eth0"),
        ([], {**ETH, **IB}, [], {"SLURM_LAUNCH_NODE_IPADDR": "10.1.0.7"}, "10.1.0.7", "ib0"),
        ([], {**ETH, **IB}, [], {"SLURM_LAUNCH_NODE_IPADDR": "10.9.9.9"}, "10.0.0.7", "eth0"),
        (["10.0.0.7"], {**ETH, **IB}, [], {"GLOO_SOCKET_IFNAME": "ib0"}, "10.1.0.7", "ib0"),
        (["10.0.0.7"], {**ETH, **IB}, [], {"NCCL_SOCKET_IFNAME": "=ib0,ib1"}, "10.1.0.7", "ib0"),
        ([], {"2001:db8::7": "eth0"}, [], {}, "2001:db8::7", "eth0"),
        ([], {}, [], {}, "127.0.0.1", "lo"),
    ],
)
def test_across_machines_each_rank_takes_an_address_of_its_interfaces(
    machine, resolves_to, interfaces, leads_away, environment, chosen, told
):
    machine(resolves_to, interfaces, leads_away, **environment)
    assert address.choose(alone=False) == chosen
    assert os.environ.get(address.GLOO) == told
    machine(resolves_to, interfaces, leads_away, **environment)
    assert address.choose(alone=True) == "127.0.0.1"
    assert os.environ[address.GLOO] == environment.get(address.GLOO, "lo")


def test_a_missing_interface_is_reported_with_those_that_exist(machine):
    machine(["10.0.0.7"], ETH, (), GLOO_SOCKET_IFNAME="ib0")
    with pytest.raises(UserError, match="names ib0, which") as raised:
        address.choose(alone=False)
    assert "There are: eth0, lo" in raised.value.hint
    assert address.choose(alone=True) == "127.0.0.1"


def test_the_real_interfaces_are_found():
    assert address._interfaces()["127.0.0.1"] == "lo"
    assert address.choose(alone=False) in address._interfaces()


@pytest.mark.parametrize("there", ["127.0.0.1", "192.0.2.1"])
def test_an_unreachable_address_is_reported_at_once(monkeypatch, there):
    monkeypatch.setattr(address, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(address, "lookup", lambda host: ["10.0.0.9"])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        port, began = taken.getsockname()[1], time.monotonic()
        with pytest.raises(UserError) as raised:
            address.check_connection(3, "node1", there, port)
    assert time.monotonic() - began < 5
    said = str(raised.value)
    assert (
        f"rank 3 on {socket.gethostname()} cannot reach rank 0 on node1 at {there}:{port}" in said
    )
    assert "node1 resolves to 10.0.0.9" in said
    assert "network_interface" in said
    assert "GLOO_SOCKET_IFNAME" in said
    assert raised.value.exit_code == EXIT_CLUSTER


def nobody_listens():
    """A port of this machine on which nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_on_one_machine_an_unreachable_rank_0_is_gone():
    with pytest.raises(PeerGone, match="rank 0 on node1 has ended without an error message"):
        address.check_connection(1, "node1", "127.0.0.1", nobody_listens(), alone=True)


def test_a_rank_0_that_has_ended_is_not_waited_for(monkeypatch):
    """torch itself would try for as long as it waits for anything."""
    monkeypatch.setattr(world, "ANSWER_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(PeerGone, match="rank 0 on node1 has ended without an error message"):
        world._store_of("node1", "127.0.0.1", nobody_listens(), timedelta(seconds=60))
    assert time.monotonic() - began < 10


def test_the_store_of_a_live_rank_0_has_the_given_timeout(monkeypatch):
    monkeypatch.setattr(world, "ANSWER_SECONDS", 1.0)
    there = TCPStore("127.0.0.1", 0, None, is_master=True, wait_for_workers=False)
    store = world._store_of("node1", "127.0.0.1", there.port, timedelta(seconds=60))
    assert store.timeout == timedelta(seconds=60)


def test_a_name_service_that_does_not_answer_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(address, "LOOKUP_SECONDS", 0.1)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **named: time.sleep(2))
    assert address.lookup("node1") == []
