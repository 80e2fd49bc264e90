"""A small Steam store on loopback: the same endpoints in the same shapes as Steam's public services, over real HTTP."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self
from urllib.parse import parse_qs, unquote_plus, urlsplit

from sample.catalogue import fictional
from sample.games import Game, Stock
from sample.server import HTML, JPEG, JSON, Answer, Handler, Server
from sample.services import SERVICES, Services

_ASSETS = "/store_item_assets/"
_BANNER = re.compile(_ASSETS + r"steam/apps/(\d+)/(.+)")


class Request(NamedTuple):
    """One line of the store's log."""

    at: float  # time.monotonic()
    target: str  # path and query, unquoted
    agent: str  # the User-Agent


class Store:
    """A Steam store on 127.0.0.1, serving until `close` (or the end of a `with`); the default stock is the sample's.

    `games` may be set at any time (games added, removed, changed, reordered); `pictures[appid] = bytes or None`
    replaces or removes one picture. `requests` is the log. Every public method may be called from any thread.
    """

    handler = Handler

    def __init__(self, stock: Stock | None = None, port: int = 0) -> None:
        """Raises OSError when `port` is taken; 0 is any free one."""
        stock = fictional() if stock is None else stock
        self.games = stock.games
        self.picture = stock.picture
        self.pictures: dict[int, bytes | None] = {}
        self.requests: list[Request] = []
        self._server = Server(port, self._respond, self.handler)

    @property
    def api_url(self) -> str:
        """The stand-in for https://api.steampowered.com."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def assets_url(self) -> str:
        """The stand-in for https://shared.akamai.steamstatic.com/store_item_assets/."""
        return self.api_url + _ASSETS

    @property
    def games(self) -> Sequence[Game]:
        """The games of the store, in its steady order."""
        return self._services.games

    @games.setter
    def games(self, games: Iterable[Game]) -> None:
        self._services = Services(games)

    def count(self, pattern: str = "") -> int:
        """Return how many requests so far had a path and query that match `pattern`."""
        return sum(bool(re.search(pattern, request.target)) for request in list(self.requests))

    def close(self) -> None:
        """Stop serving and end every open connection; may be called twice."""
        self._server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def answer(self, target: str) -> Answer:
        """Return what a path with its query is answered with."""
        address = urlsplit(target)
        if address.path.startswith(_ASSETS):
            return self._asset(address.path)
        if address.path not in SERVICES:
            return _not_found(address.path)
        try:
            asked = json.loads(parse_qs(address.query).get("input_json", ["{}"])[0])
            return response(SERVICES[address.path](self._services, asked))
        except (ValueError, TypeError, AttributeError, LookupError):  # no JSON, or JSON of another shape
            return html("Bad Request", "Please verify that all required parameters are being sent", 400)

    def _respond(self, target: str, agent: str) -> Answer:
        self.requests.append(Request(time.monotonic(), unquote_plus(target), agent))
        return self.answer(target)

    def _asset(self, path: str) -> Answer:
        match = _BANNER.fullmatch(path)
        game = self._services.by_appid.get(int(match[1])) if match else None
        if match is None or game is None or game.banner is None or match[2] not in (game.banner, game.double):
            return _not_found(path)
        picture = self.pictures[game.appid] if game.appid in self.pictures else self.picture(game.appid)
        return _not_found(path) if picture is None else Answer(picture, type=JPEG)


def html(title: str, text: str, status: int = 200) -> Answer:
    """Return a page for people, as a gateway or a block gives it."""
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1>{text}</body></html>"
    return Answer(page.encode(), status, HTML)


def response(fields: dict[str, object]) -> Answer:
    """Return a service's answer, `{"response": {...}}`, said to be good."""
    return Answer(json.dumps({"response": fields}).encode(), type=JSON, headers=(("x-eresult", "1"),))


def _not_found(path: str) -> Answer:
    """Return what Steam says of a service, or of a file, that it does not have."""
    match re.findall(r"\w+", path):
        case [interface, method, *_] if path.startswith("/I"):
            return html("Not Found", f"Method '{method}' not found in interface '{interface}'", 404)
    return html("Not Found", "Not Found", 404)
