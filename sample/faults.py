"""Trouble: what a store, a network or an attacker can do to an answer.

`Store.trouble(pattern, kind)` takes as its kind
- an HTTP status, 503 say;
- one of `INSTEAD`, another answer in its place: "html", "empty", "bomb", "redirect";
- one of `EDITS`, a page of the catalogue that does not add up: "no ids", "no total", "growing total";
- one of `MANNERS`, the right answer sent badly: "slow", "truncated", "drip", "drip headers", "endless", "drop";
- a function that is called with the store before it answers, to change games in the middle of a crawl;
- `Edit(function)`, which changes the JSON object under `response` in place, to anything that JSON can hold.
"""

from __future__ import annotations

import functools
import gzip
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from sample import answers
from sample.answers import Answer

MANNERS = {
    "slow": "the answer waits `seconds`",
    "truncated": "half the body, then the end",
    "drip": "the body comes a byte every `seconds`",
    "drip headers": "headers without end, a byte every `seconds`",
    "endless": "the body is followed by spaces until the client hangs up",
    "drop": "the connection ends without a word",
}
INSTEAD = {
    "html": "a block page with status 200",
    "empty": '`{"response": {}}`, or no bytes for a picture',
    "bomb": "a megabyte of gzip that unpacks to a gigabyte of spaces",
    "redirect": "the address `to`",
}
EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no ids": lambda page: page.pop("ids", None),
    "no total": lambda page: page.pop("metadata", None),
    "growing total": lambda page: page["metadata"].update(total_matching_records=page["metadata"]["start"] + 10_000),
}
_WITH_RETRY_AFTER = (429, 503)


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
        known = [*MANNERS, *INSTEAD, *EDITS]
        if isinstance(self.kind, str) and self.kind not in known:
            allowed = f"an HTTP status, a function, an Edit, or one of {known}"
            raise ValueError(f"unknown trouble {self.kind!r}: allowed are {allowed}")

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

    def spoil(self, answer: Answer) -> Answer:  # noqa: PLR0911 - one a kind
        """Return what is answered in the place of the right answer."""
        match self.kind:
            case int() as status:
                return _status(status, self.seconds)
            case Edit(change):
                return _edited(answer, change)
            case str() as kind if kind in MANNERS:
                return answer._replace(manner=kind, seconds=self.seconds)
            case str() as kind if kind in EDITS:
                return _edited(answer, EDITS[kind])
            case "html":
                return answers.html("Access Denied", "You do not have permission to access this server.")
            case "empty":
                return answer._replace(body=b"") if answer.type == answers.JPEG else answers.response({})
            case "bomb":
                return answer._replace(body=_bomb(), headers=(("Content-Encoding", "gzip"),))
            case "redirect":
                return Answer(b"", 302, headers=(("Location", self.to),))
        return answer


def take(faults: list[Fault], target: str) -> Fault | None:
    """Return the first of the faults that this request gets, if any."""
    return next((fault for fault in faults if fault.applies(target)), None)


def _status(status: int, seconds: float) -> Answer:
    page = answers.html(f"Error {status}", "The server is in trouble.", status)
    if status in _WITH_RETRY_AFTER:
        return page._replace(headers=(("Retry-After", f"{seconds:g}"),))
    return page


def _edited(answer: Answer, change: Callable[[dict[str, Any]], object]) -> Answer:
    fields = json.loads(answer.body)["response"]
    change(fields)
    return answers.response(fields)


@functools.cache
def _bomb() -> bytes:
    """Gzip members of 16 MiB each, which any decoder joins."""
    return b"".join(itertools.repeat(gzip.compress(b" " * 2**24), 64))
