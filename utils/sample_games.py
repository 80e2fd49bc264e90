"""What stands on the sample store's shelves: fictional games, somebody's own pictures, or a big made-up catalogue."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from utils import sample_art

TAGS = {"Action": 19, "Adventure": 21, "Casual": 597, "Indie": 492, "Puzzle": 1664, "RPG": 122, "Strategy": 9}


@dataclasses.dataclass(frozen=True, slots=True)
class Game:
    """What the store knows of one game; times are unix seconds."""

    appid: int
    name: str
    banner: str | None = "library_600x900.jpg"  # the file below steam/apps/<appid>/; None: the game has no banner
    updated: int = 1_750_000_000  # the picture's version, the `t` of its address
    release_date: int = 1_600_000_000  # 0: not released yet
    franchises: tuple[str, ...] = ()
    developers: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()  # names of TAGS, the weightiest first
    reviews: int = 0
    score: int = 0  # percent of positive reviews
    players: int = 0  # the day's peak; the most-played list holds the games that have one
    descriptors: tuple[int, ...] = ()  # Steam's content descriptors: 3 and 4 are adult only
    type: int = 0  # 0 is a game, 1 a demo, 4 a DLC


@dataclasses.dataclass(frozen=True)
class Stock:
    """Games, the bytes of each one's banner file (None: the address answers 404), and what is amiss with them."""

    games: Sequence[Game]
    picture: Callable[[int], bytes | None]
    notes: list[str] = dataclasses.field(default_factory=list)


def fictional() -> Stock:
    """The sample: about 150 fictional games in about 25 series, with their share of trouble."""
    games = [
        Game(90_000_000 + 10 * number, f"Placeholder {number}", franchises=(f"Series {number // 6}",))
        for number in range(1, 151)
    ]
    return Stock(games, lambda appid: sample_art.pattern((appid - 90_000_010) // 60, appid))


def many(count: int) -> Stock:
    """`count` made-up games for tests of scale: eight games a series, cheap pictures drawn when asked."""
    games = [
        Game(
            appid=100_000_000 + 10 * number,
            name=f"Synthetic {number:06d}",
            franchises=(f"Synthetic series {number // 8}",),
            developers=(f"Studio {number // 40}",),
            reviews=number % 5000,
            score=number % 101,
        )
        for number in range(count)
    ]
    return Stock(games, lambda appid: sample_art.pattern((appid - 100_000_000) // 80, appid))
