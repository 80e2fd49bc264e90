"""A game as the store knows it, and as the item that Steam's services answer."""

from __future__ import annotations

import bisect
import dataclasses
import re
import zlib
from collections.abc import Callable, Sequence
from typing import Any

TAGS = {
    "Action": 19, "Adventure": 21, "Atmospheric": 4166, "Board Game": 1770, "Building": 1643, "Card Game": 1666,
    "Casual": 597, "Chess": 4184, "City Builder": 4328, "Colorful": 4305, "Cozy": 97376, "Cute": 4726,
    "Cyberpunk": 4115, "Detective": 5613, "Dragons": 4046, "Driving": 1644, "Dungeon Crawler": 1720,
    "Exploration": 3834, "Fantasy": 1684, "Farming Sim": 87918, "Horror": 1667, "Indie": 492, "Management": 12472,
    "Match 3": 1665, "Mechs": 4821, "Minimalist": 4094, "Mystery": 5716, "Nature": 30358, "Noir": 6052,
    "Pixel Graphics": 3964, "Puzzle": 1664, "RPG": 122, "Racing": 699, "Relaxing": 1654, "Retro": 4004,
    "Roguelike": 1716, "Sci-fi": 3942, "Simulation": 599, "Space": 1755, "Story Rich": 1742, "Strategy": 9,
    "Survival": 1662, "Trains": 1616, "Turn-Based": 1677,
}  # fmt: skip
GAME = 0  # Steam's types of apps
DEMO = 1
DLC = 4

_LABELS = ["Mostly Negative", "Mixed", "Mostly Positive", "Very Positive", "Overwhelmingly Positive"]
_LABEL_FROM = [40, 70, 80, 95]  # percent


@dataclasses.dataclass(frozen=True, slots=True)
class Game:
    """One game; times are unix seconds. Raises ValueError for a tag that TAGS lacks."""

    appid: int
    name: str
    banner: str | None = "library_600x900.jpg"  # the file below steam/apps/<appid>/; None: the game has no banner
    updated: int = 1_750_000_000  # when any art of the game changed last, the `t` of its addresses
    release_date: int = 1_600_000_000  # 0: not released yet
    franchises: tuple[str, ...] = ()
    developers: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()  # names in TAGS, the weightiest first
    reviews: int = 0
    score: int = 0  # percent of positive reviews
    players: int = 0  # the day's peak; the most-played list holds the games that have one
    descriptors: tuple[int, ...] = ()  # Steam's content descriptors: 3 and 4 are adult only
    type: int = GAME

    def __post_init__(self) -> None:
        unknown = set(self.tags) - TAGS.keys()
        if unknown:
            raise ValueError(f"game {self.appid} has the tags {sorted(unknown)}; known are {', '.join(TAGS)}")

    @property
    def double(self) -> str:
        """The file of the banner at twice the size."""
        return re.sub(r"(\.\w+)$", r"_2x\1", self.banner or "")

    def item(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Return Steam's store item with the parts that `data_request` wants, without what is false or empty."""
        tagids = [TAGS[tag] for tag in self.tags][: int(wanted.get("include_tag_count", 0))]
        item = {
            "item_type": 0,
            "id": self.appid,
            "success": 1,
            "visible": True,
            "name": self.name,
            "store_url_path": f"app/{self.appid}/{re.sub('[^A-Za-z0-9]+', '_', self.name)}",
            "appid": self.appid,
            "type": self.type,
            "content_descriptorids": list(self.descriptors),
            "tagids": tagids,
            "tags": [{"tagid": tagid, "weight": 900 - 50 * place} for place, tagid in enumerate(tagids)],
            "reviews": _reviews(self) if wanted.get("include_reviews") else {},
            "basic_info": _basic_info(self) if wanted.get("include_basic_info") else {},
            "release": _release(self) if wanted.get("include_release") else {},
            "assets": _assets(self) if wanted.get("include_assets") else {},
        }
        return _without_empty(item)


@dataclasses.dataclass(frozen=True)
class Stock:
    """What fills a store: games, and the bytes of each one's banner."""

    games: Sequence[Game]
    picture: Callable[[int], bytes | None]  # by appid; None: the address answers 404


def _reviews(game: Game) -> dict[str, Any]:
    if not game.reviews:
        return {}
    summary = {
        "review_count": _number_or_text(game, game.reviews),
        "percent_positive": game.score,
        "review_score": min(game.score // 10, 9),
        "review_score_label": _LABELS[bisect.bisect(_LABEL_FROM, game.score)],
    }
    return {"summary_filtered": summary}


def _basic_info(game: Game) -> dict[str, Any]:
    return _without_empty(
        {
            "short_description": f"{game.name}: a game that does not exist.",
            "publishers": _companies(game.publishers),
            "developers": _companies(game.developers),
            "franchises": _companies(game.franchises),
        }
    )


def _companies(names: Sequence[str]) -> list[dict[str, Any]]:
    return [{"name": name, "creator_clan_account_id": zlib.crc32(name.encode())} for name in names]


def _release(game: Game) -> dict[str, Any]:
    if not game.release_date:
        return {"is_coming_soon": True}
    return {"steam_release_date": _number_or_text(game, game.release_date)}


def _assets(game: Game) -> dict[str, Any]:
    assets = {"asset_url_format": f"steam/apps/{game.appid}/${{FILENAME}}?t={game.updated}", "header": "header.jpg"}
    if game.banner:
        assets["library_capsule"] = game.banner
        assets["library_capsule_2x"] = game.double
    return assets


def _number_or_text(game: Game, number: int) -> int | str:
    """Some of Steam's numbers arrive as strings: here those of every third game."""
    return str(number) if game.appid % 3 == 0 else number


def _without_empty(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in ([], {}, "", None) and value is not False}
