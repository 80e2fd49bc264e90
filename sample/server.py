"""The wire: answers over HTTP on loopback."""

from __future__ import annotations

import contextlib
import gzip
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HTML = "text/html; charset=UTF-8"
JSON = "application/json; charset=UTF-8"
JPEG = "image/jpeg"


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    body: bytes
    status: int = 200
    type: str = HTML
    headers: tuple[tuple[str, str], ...] = ()  # beside Content-Type and Content-Length


Respond = Callable[[str, str], Answer]  # path with its query, User-Agent -> what is answered


class Server(ThreadingHTTPServer):
    """Serves on 127.0.0.1 in a thread of its own from the first moment until `stop`."""

    daemon_threads = True
    request_queue_size = 128  # with the default of 5, many connections at once wait a second

    def __init__(self, port: int, respond: Respond, handler: type[Handler]) -> None:
        """Raises OSError when `port` is taken; 0 is any free one."""
        self.respond = respond
        self.stopped = threading.Event()
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), handler)
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


class Handler(BaseHTTPRequestHandler):
    """Sends one answer after another on a connection, gzipped where the client takes it."""

    protocol_version = "HTTP/1.1"
    server_version = "SampleStore"
    sys_version = ""
    timeout = 60
    wbufsize = -1  # head and body leave together
    disable_nagle_algorithm = True
    server: Server  # ty: ignore[incompatible-mutable-override] - it is made by that server alone

    def do_GET(self) -> None:
        """Answer one request."""
        self.send(self.packed(self.server.respond(self.path, self.headers.get("User-Agent", ""))))

    def packed(self, answer: Answer) -> Answer:
        """Return an answer gzipped where that is asked for and worth it."""
        is_packed = "Content-Encoding" in dict(answer.headers)
        if is_packed or answer.type == JPEG or "gzip" not in self.headers.get("Accept-Encoding", ""):
            return answer
        headers = (*answer.headers, ("Content-Encoding", "gzip"))
        return replace(answer, body=gzip.compress(answer.body, 5), headers=headers)

    def send(self, answer: Answer) -> None:
        """Send an answer as it is."""
        self.send_head(answer)
        self.wfile.write(answer.body)

    def send_head(self, answer: Answer, *, with_length: bool = True) -> None:
        """Send the status and the headers of an answer."""
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Type", answer.type)
        if with_length:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()

    def setup(self) -> None:
        """Note the connection, so that the server can end it."""
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        """Forget the connection."""
        self.server.connections.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - its parent's name
        """Says nothing: the store keeps its own log."""
