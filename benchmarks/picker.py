"""How quickly the picker answers with 100,000 games, beside the limits set for it and a peer.

    PYTHONPATH=. python benchmarks/picker.py [--games 100000] [--clicks 30]

Key: from a changed text box to the short list. Click: from a game picked to all its HTML, with features of 768 dims,
ten matches and pictures not seen before. Pixels: in JupyterLab in headless Chromium, from the click on a button to ten
new pictures decoded and painted. Peers: rapidfuzz over all names at every key; a matplotlib figure at every click.
"""

import argparse
import io
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import ipywidgets
import nbformat
import numpy as np
import pandas as pd
from PIL import Image
from rapidfuzz import process

from tests import browser
from utils import matching, picker, show
from utils.banners import Banner
from utils.features import Features

DIMS, PICTURES = 768, 500
WORDS = (
    "iron sky",
    "legend",
    "of the",
    "dark tower",
    "knight",
    "simulator",
    "hero",
    "quest",
    "star",
    "moon",
    "shadow",
    "cat",
    "puzzle",
    "portal",
    "dragon",
    "city",
    "night",
    "farm",
    "tycoon",
    "space",
    "rogue",
    "dungeon",
    "racing",
    "zombie",
    "island",
    "story",
    "pokémon",
    "café",
    "ведьмак",
    "охота",
    "東方",
    "ゲーム",
)
TYPED = ("portal", "dark tower", "ведьмак", "rtal")  # key by key: "p", "po", ...
MISTYPED = ("drak towr", "ron skyy", "zzzz qqqq", "simulatro 12")
NOTEBOOK = """
from benchmarks import picker as benchmark
benchmark.control({games})
"""
CLICK = """async number => {
    const card = () => document.querySelector('.sbp-query img').src;
    const painted = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    const buttons = document.querySelectorAll('.sbp-grid .sbp-banner');
    const before = card(), start = performance.now();
    buttons[number].click();
    while (card() == before) await new Promise(done => setTimeout(done));
    await document.querySelector('.sbp-query img').decode().catch(() => null);  // it may have been replaced meanwhile
    await painted();
    return performance.now() - start;
}"""


class Album(Mapping):
    """Banners of any appid, from a few hundred JPEGs of some 28 kB."""

    def __init__(self, games: int) -> None:
        small = np.random.default_rng(0).integers(0, 255, (PICTURES, 24, 16, 3), np.uint8)
        self.names, self.jpegs = names(games), [jpeg(each) for each in small]

    def __getitem__(self, appid: int) -> Banner:
        return Banner(appid, self.names[appid], self.jpegs[appid % PICTURES])

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.names)))

    def __len__(self) -> int:
        return len(self.names)


def jpeg(small: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(small).resize((256, 384), Image.Resampling.BICUBIC).save(content, "JPEG", quality=95)
    return content.getvalue()


def names(games: int) -> list[str]:
    some = np.random.default_rng(0)
    words = some.choice(WORDS, (games, 3))
    return [f"{' '.join(words[number, : number % 3 + 1])} {number}".title() for number in range(games)]


def features_of(games: int) -> Features:
    """Random features of games with generated names."""
    vectors = np.random.default_rng(0).standard_normal((games, DIMS), np.float32).astype(np.float16)
    return Features(np.arange(games), np.array(names(games), dtype=object), vectors, {})


def control(games: int) -> picker.Picker:
    """The picker over generated games."""
    catalogue = pd.DataFrame({"appid": range(games), "review_count": range(games)})
    catalogue["developers"] = [[f"Studio {number % 5_000}"] for number in range(games)]
    catalogue["franchises"] = catalogue["tags"] = [[]] * games
    catalogue["release_date"] = 0
    catalogue["review_score"] = 50.0
    return picker.pick(matching.prepare(features_of(games)), None, Album(games), catalogue)


def timed(act: Callable, values: Iterable) -> list[float]:
    """Milliseconds that an act takes for each value."""
    taken = []
    for value in values:
        began = time.perf_counter()
        act(value)
        taken.append(1000 * (time.perf_counter() - began))
    return taken


def row(stage: str, ours: list[float], limit: float | None, peer: list[float] | None = None) -> None:
    quotient = (
        f"{statistics.median(peer):.0f} | {statistics.median(peer) / statistics.median(ours):.1f}" if peer else "|"
    )
    print(f"| {stage} | {statistics.median(ours):.1f} ({max(ours):.1f}) | {limit or ''} | {quotient} |", flush=True)


def in_the_kernel(games: int, clicks: int) -> None:
    began = time.perf_counter()
    shown = control(games)
    print(f"made ready in {time.perf_counter() - began:.1f} s, features prepared included\n")
    print("| stage | ms: median (slowest) | limit | peer | peer / ours |\n|---|---|---|---|---|")
    keys = [text[:length] for text in TYPED for length in range(1, len(text) + 1)]
    everything = dict(enumerate(names(games)))
    naive = timed(lambda text: process.extract(text, everything, limit=12), [*TYPED, *MISTYPED])
    row("key to list", timed(lambda text: shown.search.set_trait("value", text), keys), 100, naive)
    row("key to list, mistyped", timed(lambda text: shown.search.set_trait("value", text), MISTYPED), 100, naive)
    appids = np.random.default_rng(1).choice(games, (2, clicks)).tolist()
    row("click to HTML", timed(shown.show, appids[0]), None, timed(figure_of(games), appids[0][:5]))
    sent = len(shown.card.value) + sum(len(tile.label.value) for tile in shown.grid.children)
    shown.options["exclude_same_studio"].value = True
    shown.options["distinct"].value = True
    row("click to HTML, both filters", timed(shown.show, appids[1]), None)
    print(f"\n{sent:,} bytes sent a click")


def figure_of(games: int) -> Callable[[int], bytes]:
    """Return what draws a query's matches as a matplotlib figure, the peer."""
    album = Album(games)
    prepared = matching.prepare(features_of(games))
    return lambda appid: show.matches(
        album, appid, *(found[0] for found in matching.nearest(prepared, [appid], 10))
    ).jpeg()


def in_the_browser(games: int, clicks: int) -> None:
    if not (browser.CHROMIUM and browser.PLAYWRIGHT):
        print("\nno Chromium or no playwright here: click to pixels was not measured")
        return
    with tempfile.TemporaryDirectory() as place, browser.opened(Path(place)) as page:
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        cells = [nbformat.v4.new_code_cell(NOTEBOOK.format(games=games))]
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), Path(place, "pick.ipynb"))
        with browser.jupyterlab(Path(place)) as address:
            browser.run_all(page, address, "pick.ipynb")
            page.locator(".sbp-grid .sbp-banner").nth(9).wait_for(timeout=300_000)
            page.wait_for_timeout(2_000)
            taken = [page.evaluate(CLICK, number % 10) for number in range(clicks + 3)]
    print()
    row("click to pixels, JupyterLab", taken[3:], 150)


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("--games", type=int, default=100_000)
    words.add_argument("--clicks", type=int, default=30)
    given = words.parse_args()
    print(
        f"{given.games:,} games, {given.clicks} clicks; {os.cpu_count()} cores, {platform.machine()}, "
        f"load {os.getloadavg()[0]:.1f}; "
        f"Python {sys.version.split()[0]}, ipywidgets {ipywidgets.__version__}, NumPy {np.__version__}"
    )
    in_the_kernel(given.games, given.clicks)
    in_the_browser(given.games, given.clicks)


if __name__ == "__main__":
    main()
