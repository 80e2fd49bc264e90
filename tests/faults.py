"""Trouble: what a store, a network or an attacker can do to an answer.

`Store.trouble(pattern, kind)` takes as its kind
- an HTTP status, 503 say;
- one of `KINDS`;
- a function that is called with the store before it answers, to change games in the middle of a crawl;
- `Edit(function)`, which changes the JSON object under `response` in place, to anything that JSON can hold.
"""

from __future__ import annotations

import functools
import gzip
import itertools
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

import sample
from sample.server import JPEG, Answer, Handler
from sample.store import html, response

KINDS = {
    "html": "a block page with status 200",
    "empty": '`{"response": {}}`, or no bytes for a picture',
    "bomb": "a megabyte of gzip that unpacks to a gigabyte of spaces",
    "redirect": "the address `to`",
    "slow": "the answer waits `seconds`",
    "truncated": "half the body, then the end",
    "drip": "the body comes a byte every `seconds`",
    "drip headers": "headers without end, a byte every `seconds`",
    "endless": "the body is followed by spaces until the client hangs up",
    "drop": "the connection ends without a word",
}


class Edit(NamedTuple):
    """A change to what is under `response`."""

    change: Callable[[dict[str, Any]], object]


@dataclass
class Fault:
    """One kind of trouble for the requests that match `pattern`; a fault of `times` 0 is over."""

    pattern: re.Pattern[str]
    kind: int | str | Edit | Callable[..., object]
    times: int | None = None  # how many requests; None is all
    skip: int = 0  # how many go well first
    seconds: float = 1.0
    to: str = ""  # where a redirect leads

    def __post_init__(self) -> None:
        if isinstance(self.kind, str) and self.kind not in KINDS:
            raise ValueError(f"unknown trouble {self.kind!r}: allowed are a status, a function, an Edit, or {[*KINDS]}")

    def applies(self, target: str) -> bool:
        """Return whether this request is in trouble, and count it."""
        if self.times == 0 or not self.pattern.search(target):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def spoil(self, answer: Answer) -> Answer:
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
                return replace(answer, body=_bomb(), headers=(("Content-Encoding", "gzip"),))
            case "redirect":
                return Answer(b"", 302, headers=(("Location", self.to),))
            case str() as manner:
                return _Badly(**vars(answer), manner=manner, seconds=self.seconds)
        return answer


@dataclass(frozen=True)
class _Badly(Answer):
    """An answer and the manner in which it is sent, paced by `seconds`."""

    manner: str = ""
    seconds: float = 0.0


class _Handler(Handler):
    def packed(self, answer: Answer) -> Answer:
        return answer if isinstance(answer, _Badly) and answer.manner == "endless" else super().packed(answer)

    def send(self, answer: Answer) -> None:
        if not isinstance(answer, _Badly):
            super().send(answer)
            return
        self.close_connection = answer.manner not in ("slow", "drip")
        match answer.manner:
            case "slow":
                self.server.stopped.wait(answer.seconds)
                super().send(answer)
            case "drip":
                self.send_head(answer)
                self._drip(answer.body, answer.seconds)
            case "drip headers":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                self._drip(itertools.cycle(b"X-Slow: yes\r\n"), answer.seconds)
            case "truncated":
                self.send_head(answer)
                self.wfile.write(answer.body[: len(answer.body) // 2])
            case "endless":
                self.send_head(answer, with_length=False)
                self.wfile.write(answer.body)
                while not self.server.stopped.is_set():
                    self.wfile.write(b" " * 65_536)

    def _drip(self, content: bytes | itertools.cycle[int], seconds: float) -> None:
        for byte in content:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.server.stopped.wait(seconds):
                return


class Store(sample.Store):
    """The sample's store, in trouble where it is asked for."""

    handler = _Handler

    def __init__(self, stock: sample.Stock | None = None, port: int = 0) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        super().__init__(stock, port)

    def trouble(self, pattern: str, kind: int | str | Edit | Callable[..., object], **options: Any) -> None:
        """Make trouble of a kind for requests whose unquoted path and query match `pattern`.

        `options` are those of a Fault; `seconds` is also the Retry-After of a 429 or 503. Of several troubles the first
        that fits is taken. Raises ValueError for an unknown kind.
        """
        fault = Fault(re.compile(pattern), kind, **options)
        with self._lock:
            self._faults.append(fault)

    def calm(self) -> None:
        """End all trouble; changed games and pictures stay."""
        with self._lock:
            self._faults.clear()

    def answer(self, target: str) -> Answer:
        with self._lock:
            asked = unquote_plus(target)
            fault = next((fault for fault in self._faults if fault.applies(asked)), None)
        if fault and callable(fault.kind):
            fault.kind(self)
        answer = super().answer(target)
        return fault.spoil(answer) if fault else answer


@functools.cache
def _bomb() -> bytes:
    """Gzip members of 16 MiB each, which any decoder joins."""
    return b"".join(itertools.repeat(gzip.compress(b" " * 2**24), 64))
