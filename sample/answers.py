"""What the store answers: the bytes, and the manner in which they are sent."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

HTML = "text/html; charset=UTF-8"
JSON = "application/json; charset=UTF-8"
JPEG = "image/jpeg"


class Answer(NamedTuple):
    """One HTTP answer. `manner` is empty, or one of `faults.MANNERS`, paced by `seconds`."""

    body: bytes
    status: int = 200
    type: str = HTML
    headers: tuple[tuple[str, str], ...] = ()  # beside Content-Type and Content-Length
    manner: str = ""
    seconds: float = 0.0


def html(title: str, text: str, status: int = 200) -> Answer:
    """Return a page for people, as a gateway or a block gives it."""
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1>{text}</body></html>"
    return Answer(page.encode(), status)


def response(fields: dict[str, Any]) -> Answer:
    """Return a service's answer, `{"response": {...}}`."""
    return Answer(json.dumps({"response": fields}).encode(), type=JSON)


def bad_request() -> Answer:
    """Return what Steam says of parameters that it cannot read."""
    return html("Bad Request", "Please verify that all required parameters are being sent", 400)


def not_found(path: str) -> Answer:
    """Return what Steam says of a service, or of a file, that it does not have."""
    match re.findall(r"\w+", path):
        case [interface, method, *_] if path.startswith("/I"):
            return html("Not Found", f"Method '{method}' not found in interface '{interface}'", 404)
    return html("Not Found", "Not Found", 404)
