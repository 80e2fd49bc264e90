"""The invented games: 150 of them from a table and a tar of banners, or as many as a test of scale wants."""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from sample.games import Game, Stock

TABLE = Path(__file__).with_name("games.csv")
BANNERS = Path(__file__).with_name("banners.tar")

_SERIES = 8  # games a series in `many`
_STUDIO = 40


def fictional() -> Stock:
    """Return the sample: some 150 games in series, and their share of trouble.

    `games.csv` is the table, a row a game; `banners.tar` is a webdataset, the picture of appid 620 as `620.jpg`. A game
    whose picture is not in it answers 404.
    """
    with TABLE.open(encoding="utf-8", newline="") as file:
        games = [_game(row) for row in csv.DictReader(file)]
    return Stock(games, lambda appid: _pictures().get(appid))


@functools.cache
def _pictures() -> dict[int, bytes]:
    """The files in the tar, by appid; read once a process."""
    pictures = {}
    with tarfile.open(BANNERS) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file:
                pictures[int(Path(member.name).stem)] = file.read()
    return pictures


def _game(row: dict[str, str]) -> Game:
    """A row of the table; several values in a cell are separated by " | "."""
    return Game(
        appid=int(row["appid"]),
        name=row["name"],
        banner=row["banner"] or None,
        updated=int(row["updated"]),
        release_date=int(row["release_date"]),
        franchises=_several(row["franchises"]),
        developers=_several(row["developers"]),
        publishers=_several(row["publishers"]),
        tags=_several(row["tags"]),
        reviews=int(row["reviews"]),
        score=int(row["score"]),
        players=int(row["players"]),
        descriptors=tuple(int(number) for number in _several(row["descriptors"])),
        type=int(row["type"]),
    )


def _several(cell: str) -> tuple[str, ...]:
    return tuple(cell.split(" | ")) if cell else ()


def retouched(games: Iterable[Game]) -> list[Game]:
    """Return the games after other art of every second one changed: a new `updated`, the same banner."""
    return [
        dataclasses.replace(game, updated=game.updated + 86_400) if place % 2 else game
        for place, game in enumerate(games)
    ]


def many(count: int) -> Stock:
    """Return `count` made-up games for tests of scale: eight games a series, cheap pictures made when asked for."""
    games = [
        Game(
            appid=100_000_000 + 10 * number,
            name=f"Synthetic {number:06d}",
            franchises=(f"Synthetic series {number // _SERIES}",),
            developers=(f"Studio {number // _STUDIO}",),
            reviews=number % 5000,
            score=number % 101,
        )
        for number in range(count)
    ]
    return Stock(games, lambda appid: _pattern((appid - 100_000_000) // (10 * _SERIES), appid))


def _pattern(series: int, game: int) -> bytes:
    """A JPEG (300 x 450) of a colour pattern: one look a series, a little different for each game; 1 ms."""
    look = np.random.default_rng(series).integers(0, 256, (6, 4, 3))
    change = np.random.default_rng([series, game]).integers(-24, 25, (6, 4, 3))
    small = Image.fromarray((look + change).clip(0, 255).astype(np.uint8))
    file = io.BytesIO()
    small.resize((300, 450), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()
