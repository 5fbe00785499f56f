"""Detect ranks that end without a word: killed, or on a node that lost its power.

What waits for such a rank inside NCCL waits for half an hour. So each rank holds a connection to
rank 0, which the kernel closes as soon as the process ends; and where a node has lost its power,
the kernels of the others notice within SILENCE seconds. Neither depends on what Python is busy
with.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator

import psutil
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from hpc_dl.run.failure import PeerGone
from hpc_dl.run.rank_info import RankInfo

SILENCE = 25
"""Seconds for which a machine may leave probes unanswered."""
_PROBE = 5
"""Seconds between two probes."""
_CONNECT_SECONDS = 60.0
_CLOSE_SECONDS = 60.0
"""How long rank 0, whose work is done, waits for the others to finish theirs."""
LOOK_SECONDS = 1.0
"""Between two looks at the processes of a local job; a rank that is missing in both has ended."""
_CONTROLLER = "submitit.local._local"
_KEY, _BYE = "peers", "bye\n"


class _Peer:
    """The other end of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.met = threading.Event()
        """Set when it has sent its rank."""
        self.heard = threading.Event()
        """Set when it has said goodbye, or is gone."""
        self.gone = False


class PeerConnections:
    """This rank's connection to rank 0, or that of rank 0 to all others."""

    def __init__(
        self,
        store: TCPStore,
        address: str,
        rank: int,
        on_gone: Callable[[PeerGone], None],
    ) -> None:
        self._rank, self._on_gone = rank, on_gone
        self._is_closing = False
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
                peer.met.wait(_CONNECT_SECONDS)  # from then on rank 0 says goodbye
            except OSError:
                raise PeerGone(0, address) from None

    def close(self) -> bool:
        """Say goodbye and wait for the others to; return False if one of them is gone.

        Rank 0 closes last, for it has more to do. Until then the others notice its end.
        """
        self._is_closing = True
        for peer in self._peers:
            with contextlib.suppress(OSError):
                peer.connection.sendall(_BYE.encode())
        limit = _CLOSE_SECONDS if self._rank == 0 else None
        all_present = all(peer.heard.wait(limit) and not peer.gone for peer in self._peers)
        for connection in self._open():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # wakes the threads that wait
        return all_present

    def _open(self) -> list[socket.socket]:
        server = [self._server] if self._server else []
        return [*server, *(peer.connection for peer in self._peers)]

    def _accept(self, server: socket.socket) -> None:
        while not self._is_closing:
            try:
                connection, _ = server.accept()
            except OSError:  # closed
                return
            with contextlib.suppress(OSError):
                self._greet(connection)

    def _greet(self, connection: socket.socket) -> _Peer:
        """Send this rank, and listen to the peer in a thread."""
        connection.settimeout(None)
        _keep_alive(connection)
        peer = _Peer(connection)
        self._peers.append(peer)
        connection.sendall(f"{self._rank} {socket.gethostname()}\n".encode())
        threading.Thread(target=self._listen, args=(peer,), name="peer", daemon=True).start()
        return peer

    def _listen(self, peer: _Peer) -> None:
        """Read until the connection ends; one that sends no rank first is not a peer's."""
        rank, host, bye = "", "", ""
        with contextlib.suppress(OSError), peer.connection.makefile() as lines:
            rank, _, host = lines.readline().strip().partition(" ")
            peer.met.set()
            bye = lines.readline()
            if bye == _BYE:
                peer.heard.set()
                lines.readline()  # which ends with the process, or when all have closed
        is_rank = rank.isdecimal()
        peer.gone = is_rank and (bye != _BYE or not self._is_closing)
        if is_rank and bye != _BYE and not (self._is_closing and self._rank == 0):
            self._on_gone(PeerGone(int(rank), host))
        peer.heard.set()

    def _forget(self) -> None:
        """Close the connections in a forked child, which may outlive the rank."""
        nothing = os.open(os.devnull, os.O_RDWR)
        for connection in self._open():
            if connection.fileno() >= 0:
                os.dup2(nothing, connection.fileno())
        os.close(nothing)


def _keep_alive(connection: socket.socket) -> None:
    """Turn on TCP keep-alive: the kernel probes the other machine."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = {
        "TCP_KEEPIDLE": _PROBE,
        "TCP_KEEPINTVL": _PROBE,
        "TCP_KEEPCNT": SILENCE // _PROBE - 1,
    }
    for name, value in options.items():
        if hasattr(socket, name):  # not everywhere: macOS
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@contextlib.contextmanager
def watch_local(rank_info: RankInfo, on_gone: Callable[[PeerGone], None]) -> Iterator[None]:
    """Call `on_gone`, in another thread, for a rank of a local job that ends before all have met.

    Until then nobody has a connection to it. Slurm ends a job of which a task is killed; submitit's
    controller, whose processes the ranks of a local job are, waits for the others.
    """
    stop = threading.Event()
    if _is_local():
        threading.Thread(target=_watch, args=(rank_info, on_gone, stop), daemon=True).start()
    try:
        yield
    finally:
        stop.set()


def _is_local() -> bool:
    with contextlib.suppress(psutil.Error):
        return _CONTROLLER in psutil.Process(os.getppid()).cmdline()
    return False


def _watch(rank_info: RankInfo, on_gone: Callable[[PeerGone], None], stop: threading.Event) -> None:
    before: set[int] = set()
    while not stop.wait(LOOK_SECONDS):
        now = _missing(rank_info.world_size)
        if gone := before & now:
            on_gone(PeerGone(min(gone), socket.gethostname()))
            return
        before = now


def _missing(size: int) -> set[int]:
    """Return the ranks that are no living processes of the controller."""
    there = set()
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(os.getppid()).children():
            with contextlib.suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE:
                    there.add(process.environ().get("SUBMITIT_LOCAL_GLOBALID"))
    return {rank for rank in range(size) if str(rank) not in there}
