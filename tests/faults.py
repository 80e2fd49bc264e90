"""Trouble: what a store, a network or an attacker can do to an answer.

`Store.trouble(pattern, kind)` takes as its kind an HTTP status, one of `KINDS`, an `Edit`, or a function that is called
with the store before it answers, to change games in the middle of a crawl.
"""

import gzip
import json
import re
import threading
from dataclasses import dataclass, replace
from typing import NamedTuple
from urllib.parse import unquote_plus

import sample
from sample.server import JPEG, Answer, Handler
from sample.store import html, response

KINDS = ("html", "empty", "bomb", "noai", "redirect", "slow", "truncated", "endless", "drop")


class Edit(NamedTuple):
    """A change to the JSON object under `response`, in place, to anything that JSON can hold."""

    change: object


@dataclass
class Fault:
    """One kind of trouble for the requests that match `pattern`."""

    pattern: str
    kind: object
    times: float = float("inf")  # how many requests; one of 0 is over
    skip: int = 0  # how many go well first
    seconds: float = 1.0  # that it waits, or of a Retry-After
    to: str = ""  # where a redirect leads

    def applies(self, target):
        """Return whether this request is in trouble, and count it."""
        if self.times == 0 or not re.search(self.pattern, target):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True

    def spoil(self, answer):
        """Return what is answered in the place of the right answer."""
        match self.kind:
            case int() as status:
                wait = (("Retry-After", f"{self.seconds:g}"),) if status in (429, 503) else ()
                return replace(html(f"Error {status}", "The server is in trouble.", status), headers=wait)
            case Edit(change):
                fields = json.loads(answer.body)["response"]
                change(fields)
                return response(fields)
            case "html":
                return html("Access Denied", "You do not have permission to access this server.")
            case "empty":
                return replace(answer, body=b"") if answer.type == JPEG else replace(response({}), headers=())
            case "bomb":
                return replace(answer, body=gzip.compress(bytes(2**24)) * 64, headers=(("Content-Encoding", "gzip"),))
            case "noai":
                return replace(answer, headers=(("X-Robots-Tag", "noai"),))
            case "redirect":
                return Answer(b"", 302, headers=(("Location", self.to),))
            case str() as manner:
                return _Badly(**vars(answer), manner=manner, seconds=self.seconds)
        return answer


@dataclass(frozen=True, kw_only=True)
class _Badly(Answer):
    """An answer, the manner in which it is sent, and the seconds before a slow one."""

    manner: str
    seconds: float


class _Handler(Handler):
    def send(self, answer):
        manner = getattr(answer, "manner", "")
        self.close_connection = self.close_connection or manner not in ("", "slow")
        match manner:
            case "" | "slow":
                self.server.stopped.wait(answer.seconds if manner else 0)
                super().send(answer)
            case "truncated":
                self.send_head(answer)
                self.wfile.write(answer.body[: len(answer.body) // 2])
            case "endless":
                self.send_head(answer, with_length=False)
                while not self.server.stopped.is_set():
                    self.wfile.write(bytes(65_536))


class Store(sample.Store):
    """The sample's store, in trouble where it is asked for."""

    handler = _Handler

    def __init__(self, stock=None, port=0):
        self._faults = []
        self._lock = threading.Lock()
        super().__init__(stock, port)

    def trouble(self, pattern, kind, **options):
        """Make trouble of a kind for requests whose unquoted path and query match `pattern`.

        `options` are those of a Fault; `seconds` is also the Retry-After of a 429 or 503. Of several troubles the first
        that fits is taken.
        """
        assert not isinstance(kind, str) or kind in KINDS, kind
        self._faults.append(Fault(pattern, kind, **options))

    def calm(self):
        """End all trouble; changed games and pictures stay."""
        self._faults = []

    def answer(self, target):
        with self._lock:
            asked = unquote_plus(target)
            fault = next((fault for fault in self._faults if fault.applies(asked)), None)
        if fault and callable(fault.kind):
            fault.kind(self)
        answer = super().answer(target)
        return fault.spoil(answer) if fault else answer
