"""How quickly the gallery and the API answer with 100,000 games, each beside a limit or a peer of the same run.

    PYTHONPATH=. python benchmarks/gallery.py [--games 100000] [--runs 5]

The gallery is opened from disk in headless Chromium. First picture: from the address to a decoded banner. Key to list:
from a key pressed to the list of names painted. Click to grid: from a click on a match to the next game's matches
painted. The peer of a click is an empty page that paints as much. The API is asked by wrk with 32 connections, beside a
route of FastAPI that answers the same bytes and does nothing.
"""

import argparse
import contextlib
import platform
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import uvicorn
from fastapi import FastAPI, Response

import share
from share import api
from share.served import Served
from share.site import site, store_pictures
from tests import browser
from tools.ranges import ranged
from utils import matching
from utils.features import Features
from utils.matching import Matches
from utils.picker.queries import Matcher

WORDS = ["iron", "sky", "legend", "dark", "tower", "knight", "hero", "quest", "star", "moon", "shadow", "cat", "puzzle"]
WORDS += ["portal", "dragon", "city", "night", "farm", "tycoon", "space", "rogue", "dungeon", "racing", "island"]


def made_up(games: int, k: int = 10) -> tuple[Matches, pd.DataFrame]:
    """Games with names of two to four words, random neighbours, and the address of one picture for all."""
    rng = np.random.default_rng(0)
    appids = np.arange(10, 10 * games + 1, 10)
    names = [" ".join(rng.choice(WORDS, rng.integers(2, 5))).title() + f" {number}" for number in range(games)]
    neighbours = appids[rng.integers(0, games, (games, k))]
    cosines = -np.sort(-rng.random((games, k), np.float32), axis=1)
    manifest = {"checkpoint": "made up", "pooling": "pooled", "image": "squash", "preparation": "centred"}
    reviews = rng.integers(0, 9999, games)
    table = pd.DataFrame({"appid": appids, "name": names, "banner_url": None, "review_count": reviews})
    return Matches(appids, np.array(names), neighbours, cosines, manifest), table


def matcher_of(matches: Matches, table: pd.DataFrame) -> Matcher:
    """Features of 64 random numbers a game, for what the stored matches do not answer."""
    vectors = np.random.default_rng(1).normal(size=(len(matches.appids), 64)).astype(np.float16)
    stored = Features(matches.appids, matches.names, vectors, matches.manifest)
    return Matcher(matching.prepare(stored, "centred"), games=table)


def row(what: str, ours: list[float], limit: str, peer: list[float] | None = None) -> None:
    """Print a row of the table: medians and ranges of milliseconds."""
    cells = [ranged(ours, 1), limit, ranged(peer, 1) if peer else ""]
    print(f"| {what} | {' | '.join(cells)} |", flush=True)


PAINTED = "() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))"
CLICK = """async () => {
    const began = performance.now();
    document.querySelector("#grid li > a").click();
    const before = document.querySelector("#query h2").textContent;
    while (document.querySelector("#query h2").textContent === before) await new Promise(done => setTimeout(done));
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - began;
}"""
KEY = """async words => {
    const box = document.getElementById("text"), began = performance.now();
    box.value = words;
    box.oninput();
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - began;
}"""


def measure_page(page_file: Path, runs: int) -> None:
    """Print the gallery's rows."""
    first, keys, typos, clicks, paints = [], [], [], [], []
    with tempfile.TemporaryDirectory() as folder, browser.opened(Path(folder)) as page:
        for _ in range(runs):
            page.goto("about:blank")
            began = time.perf_counter()
            page.goto(page_file.as_uri(), wait_until="commit")
            page.locator("#grid .banner").first.wait_for()
            first.append(1000 * (time.perf_counter() - began))
            page.get_by_placeholder("Part of a name").wait_for()
            keys += [page.evaluate(KEY, words) for words in ("dr", "dragon", "dragon ni", "gta 5")]
            typos.append(page.evaluate(KEY, "dragno nihgt"))
            page.goto(f"{page_file.as_uri()}#{10 * 500}")
            page.locator("#query h2").wait_for()
            clicks += [page.evaluate(CLICK) for _ in range(4)]
            page.goto("about:blank")
            paints += [_timed(lambda: page.evaluate(PAINTED)) for _ in range(4)]
    row("first banners of the page, ms", first, "1,000")
    row("key to list, ms", keys, "50", paints)
    row("mistyped, key to list, ms", typos, "250", paints)
    row("click to grid, ms", clicks, "100", paints)


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - began)


@contextlib.contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Uvicorn in a thread on loopback: yields the address."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()


def wrk(address: str) -> float:
    """Milliseconds at the median with 32 connections for three seconds."""
    said = subprocess.run(
        [shutil.which("wrk"), "-t1", "-c32", "-d3s", "--latency", address], capture_output=True, text=True, check=True
    ).stdout
    number, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", said).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def bare(body: bytes) -> FastAPI:
    """The peer: one route that answers bytes."""
    app = FastAPI()

    @app.get("/bytes")
    async def answer() -> Response:
        return Response(body, media_type="application/json")

    return app


def measure_api(app: FastAPI, runs: int) -> None:
    """Print the API's rows."""
    address = "/api/games/5000/matches"
    ours, filtered, peer = [], [], []
    with serving(app) as us:
        body = httpx.get(us + address).content
        with serving(bare(body)) as them:
            for _ in range(runs):
                ours.append(wrk(us + address))
                filtered.append(wrk(f"{us}{address}?n=9"))
                peer.append(wrk(f"{them}/bytes"))
    row("API, a known appid, 32 clients, ms at the median", ours, "10", peer)
    row("API, the same with a parameter", filtered, "", peer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}; {asked.games:,} games")
    matches, table = made_up(asked.games)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        page = share.gallery(matches, table, {}, Path(folder) / "gallery")
        print(f"written in {time.perf_counter() - began:.0f} s")
        start = sum(
            (page.parent / name).stat().st_size for name in ("index.html", "gallery.css", "gallery.js", "search.js")
        )
        print(f"before the first grid: {(start + (page.parent / 'data/start.js').stat().st_size) / 1000:.0f} kB")
        print(f"\n| with {asked.games:,} games | ours | limit | peer |\n| --- | --- | --- | --- |")
        measure_page(page, asked.runs)
        if shutil.which("wrk"):
            began = time.perf_counter()
            served = Served(site(matches, table, store_pictures(matches, table)), matcher_of(matches, table))
            app = api.create(served)
            row("API, start, s", [time.perf_counter() - began], "5")
            began = time.perf_counter()
            served.index.find("a")
            row("API, the index of names, made beside that, s", [time.perf_counter() - began], "")
            measure_api(app, asked.runs)


if __name__ == "__main__":
    main()
