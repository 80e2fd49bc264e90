"""A server of one file on loopback that knows ranges and versions, and breaks off where a test says so."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Host(ThreadingHTTPServer):
    """Serves `content` at `url`."""

    daemon_threads = True

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.tag = '"one"'
        self.status = 200
        self.breaks = []  # after how many bytes each of the next downloads breaks off
        self.hangs = False  # instead of breaking off
        self.length = None  # what Content-Length says, if not the truth; "" is none
        self.seen = []  # Range and If-Range of each request
        self.url = f"http://127.0.0.1:{self.server_address[1]}/released/snapshot.tar?token=secret"

    def handle_error(self, *_):
        """A client that hangs up is no news."""

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        host = self.server
        host.seen.append((self.headers["Range"], self.headers["If-Range"]))
        status, body = host.status, host.content
        start = 0
        if self.headers["Range"] and self.headers["If-Range"] == host.tag:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            status = 206
        self.send_response(status)
        self.send_header("ETag", host.tag)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if host.length != "":
            self.send_header("Content-Length", host.length or str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start:] if not host.breaks else body[start : host.breaks[0]])
        if host.breaks and self.headers["Range"]:
            host.breaks.pop(0)
        if host.hangs:
            self.wfile.flush()
            time.sleep(30)

    def log_message(self, *_):
        """Keep quiet."""
