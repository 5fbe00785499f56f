"""Whether the other ranks are still there: each holds a connection, which ends with its process.

A rank that is killed has no last word, and what waits for it inside NCCL waits for half an hour.
But its kernel closes the connection at once; and where a node has lost its power, the kernels of
the others notice within SILENCE seconds. Neither depends on what Python is busy with.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from hpc_dl.failure import PeerGone

SILENCE = 25
"""Seconds for which a machine may leave probes unanswered."""
_PROBE = 5
"""Seconds between two probes."""
_CONNECT_SECONDS = 60.0
_KEY, _BYE = "presence", "bye\n"


class Presence:
    """This rank's connection to rank 0, or that of rank 0 to all others."""

    def __init__(
        self,
        store: TCPStore,
        address: str,
        rank: int,
        on_gone: Callable[[PeerGone], None],
    ) -> None:
        self._rank, self._on_gone = rank, on_gone
        self._left = False
        self._open: list[socket.socket] = []
        os.register_at_fork(after_in_child=self._forget)
        if rank == 0:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            server = socket.create_server((address, 0), family=family, backlog=1024)
            self._open.append(server)
            self._start(self._accept, server)
            store.set(_KEY, str(server.getsockname()[1]))
        else:
            try:
                there = (address, int(store.get(_KEY)))
                self._greet(socket.create_connection(there, _CONNECT_SECONDS))
            except OSError:
                raise PeerGone(0, address) from None

    def leave(self) -> None:
        """Take leave of the others, who would else take this rank for killed."""
        self._left = True
        for connection in self._open[self._rank == 0 :]:
            with contextlib.suppress(OSError):
                connection.sendall(_BYE.encode())
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # wakes the threads that wait

    def _start(self, function: Callable[[socket.socket], None], of: socket.socket) -> None:
        threading.Thread(target=function, args=(of,), name="presence", daemon=True).start()

    def _accept(self, server: socket.socket) -> None:
        while not self._left:
            with contextlib.suppress(OSError):
                self._greet(server.accept()[0])

    def _greet(self, connection: socket.socket) -> None:
        """Say who is at this end, and from then on listen to the other."""
        connection.settimeout(None)
        _probe(connection)
        self._open.append(connection)
        connection.sendall(f"{self._rank} {socket.gethostname()}\n".encode())
        self._start(self._listen, connection)

    def _listen(self, connection: socket.socket) -> None:
        """Wait for the end of a connection; one without a greeting is not of a rank."""
        greeting, bye = "", ""
        with contextlib.suppress(OSError), connection.makefile() as lines:
            greeting = lines.readline()
            bye = lines.readline()
        rank, _, host = greeting.strip().partition(" ")
        if rank.isdecimal() and bye != _BYE and not self._left:
            self._on_gone(PeerGone(int(rank), host))

    def _forget(self) -> None:
        """Let go of the connections in a forked child, which may outlive the rank."""
        nothing = os.open(os.devnull, os.O_RDWR)
        for connection in self._open:
            if connection.fileno() >= 0:
                os.dup2(nothing, connection.fileno())
        os.close(nothing)


def _probe(connection: socket.socket) -> None:
    """Have the kernel find out whether the other machine is still there."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = {
        "TCP_KEEPIDLE": _PROBE,
        "TCP_KEEPINTVL": _PROBE,
        "TCP_KEEPCNT": SILENCE // _PROBE - 1,
    }
    for name, value in options.items():
        if hasattr(socket, name):  # not everywhere: macOS
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
