"""Network addresses at which the ranks of a run reach each other.

A host's name is for people: it may not resolve, or to an address of another machine, or to the
loopback. So ranks on one machine meet on the loopback; and across machines each takes an address
of one of its own interfaces, to which the others try to connect before they wait for anybody.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import psutil

from hpc_dl.errors import EXIT_CLUSTER, UserError
from hpc_dl.run.failure import PeerGone

LOOPBACK = "127.0.0.1"
LOOKUP_SECONDS = 5.0
"""How long a name look-up may take: a broken name service takes minutes."""
CONNECT_SECONDS = 10.0
"""How long a connection to rank 0, which listens already, may take."""
GLOO, NCCL = "GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"
_REMOTE = ("192.0.2.1", 9)
"""An address that nobody has (RFC 5737), to ask which interface leads away; nothing is sent."""


def choose(*, alone: bool) -> str:
    """Return this machine's address for the other ranks; `alone` if all of them are on it.

    gloo would look for one by the host's name, so its interface is set, unless the user has set it.
    """
    if not alone:
        _check_interface()
    address = LOOPBACK if alone else next(_candidates(), LOOPBACK)
    interface = _interfaces().get(address)
    if interface and (alone or lookup(socket.gethostname())[:1] != [address]):
        os.environ.setdefault(GLOO, interface)
    return address


def interfaces() -> list[str]:
    """Return the names of this machine's network interfaces that have an address."""
    return sorted(set(_interfaces().values()))


def _check_interface() -> None:
    """Raise UserError where gloo is to use an interface that this machine does not have."""
    asked = [name.strip() for name in os.environ.get(GLOO, "").split(",") if name.strip()]
    if missing := [name for name in asked if name not in interfaces()]:
        raise UserError(
            f"{GLOO} names {', '.join(missing)}, which {socket.gethostname()} does not have",
            hint=f"There are: {', '.join(interfaces())}. The site's `network_interface` sets it.",
            exit_code=EXIT_CLUSTER,
        )


def _candidates() -> Iterator[str]:
    """Yield addresses of this machine that others may reach, the most likely first."""
    ours = {ip: name for ip, name in _interfaces().items() if not _is_loopback(ip)}
    for variable in (GLOO, NCCL):
        asked = os.environ.get(variable, "").split(",")[0].removeprefix("=")
        yield from (ip for ip, name in ours.items() if name == asked)
    yield from (ip for ip in lookup(socket.gethostname()) if ip in ours)
    # The node on which srun was called is that of rank 0.
    yield from (ip for ip in [os.environ.get("SLURM_LAUNCH_NODE_IPADDR", "")] if ip in ours)
    yield from (ip for ip in _default_route() if ip in ours)
    yield from ours


def _interfaces() -> dict[str, str]:
    """Map address to interface, IPv4 first, without IPv6 link-local ones."""
    found = {}
    for family in (socket.AF_INET, socket.AF_INET6):
        for name, addresses in psutil.net_if_addrs().items():
            for it in addresses:
                if it.family == family and not it.address.startswith("fe80"):
                    found[it.address] = name
    return found


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _default_route() -> Iterator[str]:
    """Yield the address of the interface of the default route."""
    if found := _own_address(*_REMOTE):
        yield found


def interface_towards(address: str, port: int) -> str:
    """Return the interface through which another machine is reached; empty if unknown."""
    return _interfaces().get(_own_address(address, port), "")


def _own_address(address: str, port: int) -> str:
    """Return this machine's address on the way to another; empty without a route."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, port))
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def lookup(host: str) -> list[str]:
    """Return the addresses of a host name; none if it does not resolve within LOOKUP_SECONDS."""
    found: list[str] = []

    def resolve() -> None:
        try:
            answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        found.extend(dict.fromkeys(str(answer[4][0]) for answer in answers))

    thread = threading.Thread(target=resolve, daemon=True)
    thread.start()
    thread.join(LOOKUP_SECONDS)
    return list(found)


def check_connection(rank: int, host: str, address: str, port: int, *, alone: bool = False) -> None:
    """Raise UserError if rank 0, on `host`, cannot be reached at its address.

    If the ranks are `alone` on this machine there is no network in between, so rank 0 is gone.
    """
    try:
        socket.create_connection((address, port), CONNECT_SECONDS).close()
    except OSError as error:
        if alone:
            raise PeerGone(0, host) from None
        resolved = ", ".join(lookup(host)) or "nothing"
        raise UserError(
            f"rank {rank} on {socket.gethostname()} cannot reach rank 0 on {host} at "
            f"{address}:{port}: {error.strerror or error} (here {host} resolves to {resolved})",
            hint="Name the network between the nodes in the site's file, like `network_interface: "
            f"ib0`, which sets {GLOO} and {NCCL}; or give {host} its address in DNS or /etc/hosts.",
            exit_code=EXIT_CLUSTER,
        ) from None
