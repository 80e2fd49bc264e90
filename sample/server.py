"""The wire: answers over HTTP on loopback, in good manners and in bad ones."""

from __future__ import annotations

import contextlib
import gzip
import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sample.answers import JPEG, Answer

Respond = Callable[[str, str], Answer]  # path with its query, User-Agent -> what is answered


class Server(ThreadingHTTPServer):
    """Serves on 127.0.0.1 in a thread of its own from the first moment until `stop`."""

    daemon_threads = True
    request_queue_size = 128  # with the default of 5, many connections at once wait a second

    def __init__(self, port: int, respond: Respond) -> None:
        """Raises OSError when `port` is taken; 0 is any free one."""
        self.respond = respond
        self.stopped = threading.Event()
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """End the loop, the listening socket and the connections that clients kept alive; may be called twice."""
        if self.stopped.is_set():
            return
        self.stopped.set()
        self.shutdown()
        self.server_close()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the base class's own
        """A client that hangs up is no news; a mistake in the store is."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "SampleStore"
    sys_version = ""
    timeout = 60
    wbufsize = -1  # head and body leave together
    disable_nagle_algorithm = True
    server: Server  # ty: ignore[incompatible-mutable-override] - it is made by that server alone

    def do_GET(self) -> None:
        answer = self.server.respond(self.path, self.headers.get("User-Agent", ""))
        if answer.manner == "slow":
            self._wait(answer.seconds)
        if answer.manner in ("drop", "drip headers", "truncated", "endless"):
            self.close_connection = True
        if answer.manner == "drip headers":
            self._drip_headers(answer.seconds)
        elif answer.manner != "drop":
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        packed = self._packed(answer)
        self.send_response(answer.status)
        for name, value in packed.headers:
            self.send_header(name, value)
        self.send_header("Content-Type", answer.type)
        if answer.manner != "endless":
            self.send_header("Content-Length", str(len(packed.body)))
        self.end_headers()
        self._send_body(packed)

    def _packed(self, answer: Answer) -> Answer:
        accepts = "gzip" in self.headers.get("Accept-Encoding", "")
        if not accepts or answer.type == JPEG or answer.headers or answer.manner == "endless":
            return answer
        return answer._replace(body=gzip.compress(answer.body, 5), headers=(("Content-Encoding", "gzip"),))

    def _send_body(self, answer: Answer) -> None:
        if answer.manner == "drip":
            self._drip(answer.body, answer.seconds)
        elif answer.manner == "truncated":
            self.wfile.write(answer.body[: len(answer.body) // 2])
        else:
            self.wfile.write(answer.body)
        while answer.manner == "endless" and not self.server.stopped.is_set():
            self.wfile.write(b" " * 65_536)

    def _drip_headers(self, seconds: float) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not self.server.stopped.is_set():
            self._drip(b"X-Slow: yes\r\n", seconds)

    def _drip(self, content: bytes, seconds: float) -> None:
        for place in range(len(content)):
            self.wfile.write(content[place : place + 1])
            self.wfile.flush()
            if self._wait(seconds):
                return

    def _wait(self, seconds: float) -> bool:
        """Wait; return whether the store was stopped meanwhile."""
        return self.server.stopped.wait(seconds)

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - its parent's name
        """Says nothing: the store keeps its own log."""
