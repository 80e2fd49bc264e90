"""A server of one file on loopback, with the moods of servers."""

import gzip
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Host(ThreadingHTTPServer):
    """Serves `content` at `url`; a download asks twice, first for the manifest alone."""

    daemon_threads = True

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.headers = {"ETag": '"one"'}
        self.status = 200
        self.busy = 0  # how many of the next requests are answered 503
        self.ranges = True
        self.most = None  # bytes of an answer to a range
        self.breaks = []  # after how many bytes each of the next downloads breaks off
        self.hangs = False  # instead of breaking off
        self.length = None  # what Content-Length says, if not the truth
        self.endless = False
        self.seen = []  # Range and If-Range of each request
        self.url = f"http://127.0.0.1:{self.server_address[1]}/released/snapshot.tar?token=secret"

    def handle_error(self, *_):
        """A client that hangs up is no news."""

    def open(self):
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        host = self.server
        host.seen.append((self.headers["Range"], self.headers["If-Range"]))
        status, headers, body = self._answer()
        if "gzip" in self.headers["Accept-Encoding"]:
            headers["Content-Encoding"], body = "gzip", gzip.compress(body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if not host.endless:
            self.send_header("Content-Length", host.length or str(len(body)))
        self.end_headers()
        first = len(host.seen) % 2 and not self.headers["Range"]  # the one for the manifest
        self.wfile.write(body if first or not host.breaks else body[: host.breaks.pop(0)])
        while host.endless:
            self.wfile.write(bytes(65_536))
        if host.hangs and not first:
            self.wfile.flush()
            time.sleep(30)

    def _answer(self):
        host = self.server
        body, status, headers = host.content, host.status, dict(host.headers)
        if host.busy:
            host.busy -= 1
            return 503, headers, b"busy"
        asked = self.headers["Range"]
        if asked and host.ranges == "refused":
            return 416, headers, b""
        if asked and host.ranges and self.headers["If-Range"] in (None, *host.headers.values()):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            status, headers["Content-Range"] = 206, f"bytes {start}-{len(body) - 1}/{len(body)}"
            body = body[start:][: host.most]
        return status, headers, body

    def log_message(self, *_):
        """Keep quiet."""
