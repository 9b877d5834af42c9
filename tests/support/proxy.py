"""A proxy before a real server, which answers as a script says: not at all, wrongly, late, or too late."""

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# How a request is answered.
PASS, SLOWLY, NOTHING, CLOSED, LOST, ERROR_500, PAGE, NO_ENTRY = range(8)
MADE_UP = {
    ERROR_500: (500, "application/json", b'{"error_code": "INTERNAL_ERROR", "message": "out of order"}'),
    PAGE: (200, "text/html", b"<!DOCTYPE html><html><body>Please log in</body></html>"),
    NO_ENTRY: (401, "text/plain", b"You are not authenticated."),
}
SLOW_SECONDS = 0.2
# The longest that a request is kept waiting without an answer.
SILENT_SECONDS = 120


@dataclass
class Proxy:
    """The proxy while it runs.

    Attributes
    ----------
    script : callable
        It is given the request's number, its method and its path, and returns how it is answered.
    n_asked, n_passed : int
        The requests that came, and those that the server's answer was given to.
    """

    server: int
    script: Callable[[int, str, str], int] = lambda number, method, path: PASS
    n_asked: int = 0
    n_passed: int = 0
    port: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def next_number(self) -> int:
        with self.lock:
            self.n_asked += 1
            return self.n_asked


@contextmanager
def proxy(server: int) -> Iterator[Proxy]:
    """Run a proxy before the server on a port of this machine, while the block runs."""
    own = Proxy(server)

    class Handler(_Handler):
        proxy = own

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    own.port = listening.server_address[1]
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield own
    finally:
        own.ended.set()
        listening.shutdown()
        thread.join()
        listening.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def _answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        own = self.proxy
        how = own.script(own.next_number(), self.command, self.path)
        if how == NOTHING:
            own.ended.wait(SILENT_SECONDS)
            return self._close()
        if how == CLOSED:
            return self._close()
        if how in MADE_UP:
            return self._send(*MADE_UP[how])
        if how == SLOWLY:
            time.sleep(SLOW_SECONDS)
        status, kind, said = self._ask(content)
        if how == LOST:
            return self._close()
        with own.lock:
            own.n_passed += 1
        return self._send(status, kind, said)

    def _ask(self, content: bytes) -> tuple[int, str, bytes]:
        kept = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.server, timeout=60)
        try:
            connection.request(self.command, self.path, content, kept)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type") or "", answer.read()
        finally:
            connection.close()

    def _send(self, status: int, kind: str, content: bytes) -> None:
        with suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def _close(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""
