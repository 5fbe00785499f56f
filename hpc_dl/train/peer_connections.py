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

from hpc_dl.run.failure import PeerGone

SILENCE = 25
"""Seconds for which a machine may leave probes unanswered."""
_PROBE = 5
"""Seconds between two probes."""
_CONNECT_SECONDS = 60.0
_LEAVE_SECONDS = 60.0
"""How long rank 0, with all of its work done, waits for the others to be done with theirs."""
_KEY, _BYE = "presence", "bye\n"


class _Peer:
    """The other end of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.met = threading.Event()
        """Set when it has greeted."""
        self.heard = threading.Event()
        """Set when it has taken leave, or is gone."""
        self.gone = False


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
        self._leaves = False
        self._peers: list[_Peer] = []
        self._server: socket.socket | None = None
        os.register_at_fork(after_in_child=self._forget)
        if rank == 0:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            self._server = socket.create_server((address, 0), family=family, backlog=1024)
            threading.Thread(target=self._accept, args=(self._server,), daemon=True).start()
            store.set(_KEY, str(self._server.getsockname()[1]))
        else:
            try:
                there = (address, int(store.get(_KEY)))
                peer = self._greet(socket.create_connection(there, _CONNECT_SECONDS))
                peer.met.wait(_CONNECT_SECONDS)  # from then on rank 0 will not leave without a word
            except OSError:
                raise PeerGone(0, address) from None

    def leave(self) -> bool:
        """Take leave of the others, and wait for theirs; whether all are there to the last.

        Rank 0 leaves last, for it has more to do. Until then the others hear of its end.
        """
        self._leaves = True
        for peer in self._peers:
            with contextlib.suppress(OSError):
                peer.connection.sendall(_BYE.encode())
        limit = _LEAVE_SECONDS if self._rank == 0 else None
        all_there = all(peer.heard.wait(limit) and not peer.gone for peer in self._peers)
        for connection in self._open():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # wakes the threads that wait
        return all_there

    def _open(self) -> list[socket.socket]:
        server = [self._server] if self._server else []
        return [*server, *(peer.connection for peer in self._peers)]

    def _accept(self, server: socket.socket) -> None:
        while not self._leaves:
            try:
                connection, _ = server.accept()
            except OSError:  # this rank has left
                return
            with contextlib.suppress(OSError):
                self._greet(connection)

    def _greet(self, connection: socket.socket) -> _Peer:
        """Say who is at this end, and from then on listen to the other."""
        connection.settimeout(None)
        _probe(connection)
        peer = _Peer(connection)
        self._peers.append(peer)
        connection.sendall(f"{self._rank} {socket.gethostname()}\n".encode())
        threading.Thread(target=self._listen, args=(peer,), name="presence", daemon=True).start()
        return peer

    def _listen(self, peer: _Peer) -> None:
        """Listen until a connection ends; one without a greeting is not of a rank."""
        rank, host, bye = "", "", ""
        with contextlib.suppress(OSError), peer.connection.makefile() as lines:
            rank, _, host = lines.readline().strip().partition(" ")
            peer.met.set()
            bye = lines.readline()
            if bye == _BYE:
                peer.heard.set()
                lines.readline()  # it lives as long as this rank has not taken leave
        known = rank.isdecimal()
        peer.gone = known and (bye != _BYE or not self._leaves)
        if known and bye != _BYE and not (self._leaves and self._rank == 0):
            self._on_gone(PeerGone(int(rank), host))
        peer.heard.set()

    def _forget(self) -> None:
        """Let go of the connections in a forked child, which may outlive the rank."""
        nothing = os.open(os.devnull, os.O_RDWR)
        for connection in self._open():
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
