"""A small Steam store on loopback: the same endpoints in the same shapes as Steam's public services, over real HTTP."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Self
from urllib.parse import parse_qs, unquote_plus, urlsplit

from sample import answers, faults
from sample.answers import JPEG, Answer
from sample.catalogue import fictional
from sample.faults import Edit, Fault
from sample.games import Game, Stock
from sample.server import Server
from sample.shelf import SERVICES, Shelf

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

    def __init__(self, stock: Stock | None = None, port: int = 0) -> None:
        """Raises OSError when `port` is taken; 0 is any free one."""
        self.restock(fictional() if stock is None else stock)
        self.requests: list[Request] = []
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._server = Server(port, self._respond)

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
        """The games on the shelves, in the store's steady order."""
        return self._shelf.games

    @games.setter
    def games(self, games: Iterable[Game]) -> None:
        self._shelf = Shelf(games)

    def restock(self, stock: Stock) -> None:
        """Put other games with their pictures and notes on the shelves."""
        self.games = stock.games
        self.picture = stock.picture
        self.notes = stock.notes
        self.pictures: dict[int, bytes | None] = {}

    def trouble(
        self,
        pattern: str,
        kind: int | str | Edit | Callable[[Store], object],
        *,
        times: int | None = None,
        skip: int = 0,
        seconds: float = 1.0,
        to: str = "",
    ) -> None:
        """Make trouble of a kind (see `sample.faults`) for requests whose unquoted path and query match `pattern`.

        `times` is how many requests (None: all) get it after `skip` went well; `seconds` paces it, and is the
        Retry-After of a 429 or 503; `to` is where a redirect leads. Of several troubles the first that fits is taken.
        Raises ValueError for an unknown kind.
        """
        fault = Fault(re.compile(pattern), kind, times, skip, seconds, to)
        with self._lock:
            self._faults.append(fault)

    def calm(self) -> None:
        """End all trouble; changed games and pictures stay."""
        with self._lock:
            self._faults.clear()

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

    def _respond(self, path: str, agent: str) -> Answer:
        target = unquote_plus(path)
        self.requests.append(Request(time.monotonic(), target, agent))
        with self._lock:
            fault = faults.take(self._faults, target)
        if fault and callable(fault.kind):
            fault.kind(self)
        answer = self._answer(path)
        return fault.spoil(answer) if fault else answer

    def _answer(self, target: str) -> Answer:
        address = urlsplit(target)
        if address.path.startswith(_ASSETS):
            return self._asset(address.path)
        if address.path not in SERVICES:
            return answers.not_found(address.path)
        try:
            asked = json.loads(parse_qs(address.query).get("input_json", ["{}"])[0])
            return answers.response(SERVICES[address.path](self._shelf, asked))
        except (ValueError, TypeError, AttributeError, LookupError):  # no JSON, or JSON of another shape
            return answers.bad_request()

    def _asset(self, path: str) -> Answer:
        match = _BANNER.fullmatch(path)
        game = self._shelf.by_appid.get(int(match[1])) if match else None
        if match is None or game is None or game.banner is None or match[2] not in (game.banner, game.double):
            return answers.not_found(path)
        picture = self.pictures[game.appid] if game.appid in self.pictures else self.picture(game.appid)
        return answers.not_found(path) if picture is None else Answer(picture, type=JPEG)
