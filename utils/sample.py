"""The sample: a small Steam store on loopback, and a tiny BEiT checkpoint, for the sources `sample` and `folder`.

The store answers the same endpoints in the same shapes as Steam's public services, over real HTTP, so that the sample,
the tests and the real store run the same code. Nothing in the product imports this module but the notebooks' settings
cell. `Store.trouble` makes it a bench for faults.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gzip
import importlib.util
import json
import re
import socket
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, unquote_plus, urlsplit

import numpy as np

from utils.sample_games import TAGS, Game, Stock, fictional, folder, many
from utils.settings import Settings

__all__ = [
    "Game", "Request", "Stock", "Store", "checkpoint", "fictional", "folder", "many", "notes", "open_store",
]  # fmt: skip

_PAGE_CAP = 500
_KINDS = {0: "include_games", 1: "include_demos", 4: "include_dlc"}
_SORTS: dict[int, Callable[[Game], Any]] = {
    1: lambda game: game.name.casefold(),  # title
    2: lambda _: 0,  # steady: the order in which the games were given
    10: lambda game: -game.reviews,  # top sellers
    20: lambda game: -game.release_date,  # new and trending
    21: lambda game: -game.score,  # top rated
    30: lambda game: -game.players,  # most played
    40: lambda game: -game.release_date,  # newest
}
_ASSETS = re.compile(r"/store_item_assets/steam/apps/(\d+)/(.+)")
_PROCESSOR = {
    "do_center_crop": False,
    "do_normalize": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "BeitImageProcessor",
    "image_std": [0.5, 0.5, 0.5],
    "resample": 2,
    "size": {"height": 224, "width": 224},
}


def open_store(chosen: Settings) -> Settings:
    """Open the store of the sources `sample` and `folder`, and return the settings with its addresses.

    Unless a checkpoint is chosen, they get the tiny one as well, written where torch is installed. The store lives as
    long as the process; called again, it is found at the same address, newly stocked. For `steam`, the settings are
    returned as they are. Raises SettingsError where the folder is none or holds no picture.
    """
    if chosen.source == "steam":
        return chosen
    store = _kept_store(chosen.source)
    store.restock(fictional() if chosen.source == "sample" else folder(chosen.folder))
    tiny = chosen.data / "tiny-beit-untrained"
    if not chosen.checkpoint and importlib.util.find_spec("torch"):
        checkpoint(tiny)
    addresses = {"api_url": store.api_url, "assets_url": store.assets_url}
    return dataclasses.replace(chosen, checkpoint=chosen.checkpoint or str(tiny), **addresses)


def notes(chosen: Settings) -> list[str]:
    """Return what `open_store` found amiss with the pictures and the CSV of the source `folder`, a line each."""
    return [] if chosen.source == "steam" else list(_kept_store(chosen.source).notes)


@functools.cache
def _kept_store(source: str) -> Store:  # noqa: ARG001 - one a source
    return Store(Stock([], lambda _: None))


def checkpoint(place: Path) -> Path:
    """Write a tiny, untrained BEiT of the fine-tuned type into a folder, unless it is there; return the folder.

    224 x 224 pixels, patches of 16, 64 dims, 4 blocks, 262,000 parameters that depend on nothing but their names: the
    same on every machine. Its config has `steam_banners_untrained`. config.json comes last, so what has it is whole.
    """
    place = Path(place)
    if (place / "config.json").is_file():
        return place
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as beside:
        _save(_tiny_beit(), beside)
        Path(beside, "preprocessor_config.json").write_text(json.dumps(_PROCESSOR, indent=2))
        for file in ("preprocessor_config.json", "model.safetensors", "config.json"):
            Path(beside, file).replace(place / file)
    return place


def _tiny_beit() -> Any:  # noqa: ANN401 - torch is imported only where it is needed
    import torch
    from transformers import BeitConfig, BeitForImageClassification

    config = BeitConfig(
        hidden_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=256,
        use_relative_position_bias=True,
        num_labels=2,
        steam_banners_untrained=True,
    )
    with torch.random.fork_rng():
        model = BeitForImageClassification(config)
    for name, parameter in model.named_parameters():
        parameter.data = torch.from_numpy(_numbers(name, tuple(parameter.shape)))
    return model


def _save(model: Any, place: str) -> None:  # noqa: ANN401
    """`save_pretrained` without its progress bar."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        model.save_pretrained(place)
    finally:
        if shown:
            logging.enable_progress_bar()


def _numbers(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A parameter that does not vanish, scaled so that signals keep their size from block to block."""
    numbers = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, np.float32)
    if "lambda" in name:
        return 0.5 + 0.1 * numbers
    if "layernorm" in name:
        return name.endswith("weight") + 0.1 * numbers
    if "relative_position_bias" in name:
        return 0.5 * numbers
    if name.endswith("weight"):
        return numbers / np.sqrt(numbers[0].size)
    return 0.05 * numbers


class Request(NamedTuple):
    """One line of the store's log."""

    at: float  # time.monotonic()
    target: str  # path and query, unquoted
    agent: str  # the User-Agent


class _Answer(NamedTuple):
    body: bytes
    status: int = 200
    type: str = "text/html; charset=UTF-8"
    retry_after: float | None = None


class Store:
    """A Steam store on 127.0.0.1, serving until `close` (or the end of a `with`); the default stock is the sample's.

    `games` may be set at any time (games added, removed, changed, reordered); `pictures[appid] = bytes or None`
    replaces or removes one picture. `requests` is the log. Every public method may be called from any thread.
    """

    def __init__(self, stock: Stock | None = None, port: int = 0) -> None:
        """Raises OSError when `port` is taken; 0 is any free one."""
        self.restock(stock or fictional())
        self.requests: list[Request] = []
        self._troubles: list[_Trouble] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), self)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def api_url(self) -> str:
        """The stand-in for https://api.steampowered.com."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def assets_url(self) -> str:
        """The stand-in for https://shared.akamai.steamstatic.com/store_item_assets/."""
        return f"{self.api_url}/store_item_assets/"

    @property
    def games(self) -> Sequence[Game]:
        """The games on the shelves, in the store's steady order."""
        return self._shelf.games

    @games.setter
    def games(self, games: Iterable[Game]) -> None:
        self._shelf = _Shelf(games)

    def restock(self, stock: Stock) -> None:
        """Put other games with their pictures and notes on the shelves."""
        self.games, self.picture, self.notes = stock.games, stock.picture, stock.notes
        self.pictures: dict[int, bytes | None] = {}

    def trouble(
        self,
        pattern: str,
        kind: int | str | Callable[[Store], object],
        *,
        times: int | None = None,
        skip: int = 0,
        seconds: float = 1.0,
    ) -> None:
        """Make trouble for requests whose unquoted path and query match the regular expression `pattern`.

        kind: an HTTP status (`seconds` is the Retry-After of a 429 or 503), or "slow" (the answer waits `seconds`),
        "html" (a block page with status 200), "empty" (`{"response": {}}`, or no bytes for a picture), "truncated"
        (half the body, then the end), "drip" (a byte every `seconds`), "drop" (the connection ends without a word), or
        a function that is called with the store before it answers, to change games in the middle of a crawl.
        times: so many requests, or all. skip: so many go well first. Of several troubles the first that fits is taken.
        """
        if not (callable(kind) or isinstance(kind, int) or kind in _FAULTS):
            raise ValueError(f"unknown trouble {kind!r}: it is an HTTP status, a function, or one of {sorted(_FAULTS)}")
        with self._lock:
            self._troubles.append(_Trouble(re.compile(pattern), kind, times, skip, seconds))

    def calm(self) -> None:
        """End all trouble; changed games and pictures stay."""
        with self._lock:
            self._troubles.clear()

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

    def _take_trouble(self, target: str) -> _Trouble | None:
        with self._lock:
            return next((trouble for trouble in self._troubles if trouble.applies(target)), None)

    def _answer(self, target: str) -> _Answer:
        address = urlsplit(target)
        if address.path.startswith("/store_item_assets/"):
            return self._asset(address.path)
        if address.path not in _SERVICES:
            return _not_found(address.path)
        try:
            asked = json.loads(parse_qs(address.query).get("input_json", ["{}"])[0])
            response = _SERVICES[address.path](self._shelf, asked)
        except (ValueError, TypeError, AttributeError, LookupError):  # no JSON, or JSON of another shape
            return _page("Bad Request", "Please verify that all required parameters are being sent", 400)
        return _Answer(json.dumps({"response": response}).encode(), type="application/json; charset=UTF-8")

    def _asset(self, path: str) -> _Answer:
        match = _ASSETS.fullmatch(path)
        game = self._shelf.by_id.get(int(match[1])) if match else None
        if game is None or game.banner is None or match[2] not in (game.banner, game.double):
            return _page("Not Found", "Not Found", 404)
        picture = self.pictures[game.appid] if game.appid in self.pictures else self.picture(game.appid)
        return _page("Not Found", "Not Found", 404) if picture is None else _Answer(picture, type="image/jpeg")


class _Shelf:
    """The games at one moment, with their orders remembered."""

    def __init__(self, games: Iterable[Game]) -> None:
        self.games = tuple(games)
        self.by_id = {game.appid: game for game in self.games}
        self._orders: dict[str, list[Game]] = {}

    def query(self, asked: dict) -> dict:
        """IStoreQueryService/Query."""
        query = asked.get("query", {})
        start, count = int(query.get("start", 0)), min(int(query.get("count", 10)), _PAGE_CAP)
        found = self._found(query)
        page = found[start : start + count]
        return {
            "metadata": {"total_matching_records": len(found), "start": start, "count": len(page)},
            "ids": [{"appid": game.appid} for game in page],
            "store_items": [game.item(asked.get("data_request", {})) for game in page],
        }

    def _found(self, query: dict) -> list[Game]:
        filters, sort = query.get("filters", {}), query.get("sort")
        key = json.dumps([sort, filters], sort_keys=True)
        if key not in self._orders:
            self._orders[key] = sorted(
                (game for game in self.games if _passes(game, filters)), key=_SORTS.get(sort, _SORTS[2])
            )
        found = self._orders[key]
        if sort in _SORTS:
            return found
        # Without a sort Steam's pages overlap: another order for every page.
        order = np.random.default_rng(int(query.get("start", 0))).permutation(len(found))
        return [found[place] for place in order]

    def get_items(self, asked: dict) -> dict:
        """IStoreBrowseService/GetItems: an unknown appid comes back with success 15 (odd ones) or not at all (even)."""
        appids, wanted = [int(entry["appid"]) for entry in asked.get("ids", [])], asked.get("data_request", {})
        items = [
            self.by_id[appid].item(wanted)
            if appid in self.by_id
            else {"item_type": 0, "id": appid, "success": 15, "appid": appid}
            for appid in appids
            if appid in self.by_id or appid % 2
        ]
        return {"store_items": items} if items else {}

    def most_played(self, _: dict) -> dict:
        """ISteamChartsService/GetMostPlayedGames: at most 100 rows."""
        played = sorted((game for game in self.games if game.players), key=_SORTS[30])[:100]
        rows = [
            {"rank": rank, "appid": game.appid, "last_week_rank": rank % len(played) + 1, "peak_in_game": game.players}
            for rank, game in enumerate(played, 1)
        ]
        return {"rollup_date": 1_793_059_200, "ranks": rows} if rows else {}

    def tag_list(self, _: dict) -> dict:
        """IStoreService/GetTagList."""
        return {"tags": [{"tagid": tagid, "name": name} for name, tagid in TAGS.items()]}


_SERVICES: dict[str, Callable[[_Shelf, dict], dict]] = {
    "/IStoreQueryService/Query/v1/": _Shelf.query,
    "/IStoreBrowseService/GetItems/v1/": _Shelf.get_items,
    "/ISteamChartsService/GetMostPlayedGames/v1/": _Shelf.most_played,
    "/IStoreService/GetTagList/v1/": _Shelf.tag_list,
}


def _passes(game: Game, filters: dict) -> bool:
    tagids = {TAGS[tag] for tag in game.tags}
    kinds = filters.get("type_filters")
    return (
        not (filters.get("released_only") and not game.release_date)
        and (not kinds or bool(kinds.get(_KINDS[game.type])))
        and not set(game.descriptors).intersection(filters.get("content_descriptors_excluded", []))
        and not tagids.intersection(filters.get("tagids_exclude", []))
        and all(tagids.intersection(any_of["tagids"]) for any_of in filters.get("tagids_must_match", []))
    )


def _page(title: str, text: str, status: int, retry_after: float | None = None) -> _Answer:
    html = f"<html><head><title>{title}</title></head><body><h1>{title}</h1>{text}</body></html>"
    return _Answer(html.encode(), status, retry_after=retry_after)


def _not_found(path: str) -> _Answer:
    match re.findall(r"\w+", path):
        case [interface, method, *_]:
            text = f"Method '{method}' not found in interface '{interface}'"
        case _:
            text = "Not Found"
    return _page("Not Found", text, 404)


_FAULTS = {"slow", "html", "empty", "truncated", "drip", "drop"}


class _Trouble:
    def __init__(self, pattern: re.Pattern, kind: Any, times: int | None, skip: int, seconds: float) -> None:  # noqa: ANN401
        self.pattern, self.kind, self.times, self.skip, self.seconds = pattern, kind, times, skip, seconds

    def applies(self, target: str) -> bool:
        """Whether this request is in trouble; counts it."""
        if self.times == 0 or not self.pattern.search(target):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def instead(self, answer: _Answer) -> _Answer:
        """The answer that is given in the place of the right one."""
        if isinstance(self.kind, int):
            return _page(
                f"Error {self.kind}",
                "The server is in trouble.",
                self.kind,
                self.seconds if self.kind in (429, 503) else None,
            )
        if self.kind == "html":
            return _page("Access Denied", "You do not have permission to access this server.", 200)
        if self.kind == "empty":
            return answer._replace(body=b"" if answer.type.startswith("image") else b'{"response": {}}')
        return answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "SampleStore", ""
    timeout = 60
    wbufsize = -1  # head and body leave together
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        store, target = self.server.store, unquote_plus(self.path)
        store.requests.append(Request(time.monotonic(), target, self.headers.get("User-Agent", "")))
        trouble = store._take_trouble(target)
        if trouble and callable(trouble.kind):
            trouble.kind(store)
        if trouble and trouble.kind == "slow":
            self.server.stopped.wait(trouble.seconds)
        if trouble and trouble.kind == "drop":
            self.close_connection = True
            return
        answer = store._answer(self.path)
        self._send(trouble.instead(answer) if trouble else answer, trouble)

    def _send(self, answer: _Answer, trouble: _Trouble | None) -> None:
        body = answer.body
        self.send_response(answer.status)
        if "gzip" in self.headers.get("Accept-Encoding", "") and not answer.type.startswith("image"):
            body = gzip.compress(body, 5)
            self.send_header("Content-Encoding", "gzip")
        if answer.retry_after is not None:
            self.send_header("Retry-After", f"{answer.retry_after:g}")
        self.send_header("Content-Type", answer.type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if trouble and trouble.kind == "truncated":
            self.close_connection = True
            body = body[: len(body) // 2]
        if trouble and trouble.kind == "drip":
            self._drip(body, trouble.seconds)
        else:
            self.wfile.write(body)

    def _drip(self, body: bytes, seconds: float) -> None:
        for place in range(len(body)):
            self.wfile.write(body[place : place + 1])
            self.wfile.flush()
            if self.server.stopped.wait(seconds):
                return

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def log_message(self, *_: object) -> None:
        """Says nothing: the store keeps its own log."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # with the default of 5, many connections at once wait a second

    def __init__(self, address: tuple[str, int], store: Store) -> None:
        self.store = store
        self.stopped = threading.Event()
        self.connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def stop(self) -> None:
        """End the loop, the listening socket and the connections that clients kept alive."""
        if self.stopped.is_set():
            return
        self.stopped.set()
        self.shutdown()
        self.server_close()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """A client that hangs up is no news; a mistake in the store is."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)
