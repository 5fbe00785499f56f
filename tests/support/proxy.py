"""An HTTP proxy before a real server, which can be set to be slow, to fail, or to lose answers."""

import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.stores import Server

_OWN_HEADERS = ("host", "accept-encoding", "content-length", "transfer-encoding")


class Proxy:
    """A real HTTP proxy before a server, which can be told to be slow, to fail, or to lose answers.

    What it loses was done by the server, but the client hears of an error.
    """

    def __init__(self, server: Server) -> None:
        self.status, self.delay, self.asked = 200, 0.0, 0
        self.loses: set[str] = set()
        self.most = 2**30
        """Bytes that it takes at once."""
        self._target = server.uri
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.uri = f"http://me:geheim@127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        self.asked += 1
        time.sleep(self.delay)
        if self.status != 200:
            return self.status, b"not now"
        if len(body) > self.most:
            return 413, b"too much"
        passed = {key: it for key, it in headers.items() if key.lower() not in _OWN_HEADERS}
        request = urllib.request.Request(self._target + path, body or None, passed, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as found:
                said = found.status, found.read()
        except urllib.error.HTTPError as error:
            said = error.code, error.read()
        lost = {end for end in self.loses if path.endswith(end)}
        self.loses -= lost
        return (500, b"lost") if lost else said

    def _handler(proxy) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def relay(self) -> None:
                status, content = proxy.answer(self.command, self.path, self.headers, self.body())
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def body(self) -> bytes:
                """An empty file, for one, comes in no chunk at all."""
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                parts = []
                while size := int(self.rfile.readline(), 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = relay  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
