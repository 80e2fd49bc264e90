"""What is looked for: a game, one that only the store has, a picture of one's own, or words."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from utils import banners, catalogue
from utils.errors import PlainError
from utils.images import picture_size
from utils.search import Index

if TYPE_CHECKING:
    from utils.features import Features
    from utils.settings import Settings

_BANNER_RATIO = banners.WIDTH / banners.HEIGHT
_NEARLY = 0.02  # how far from a banner's ratio a picture may be to count as whole


class NoGame(PlainError, LookupError):
    """A name or appid that no game has."""


class NoPicture(PlainError):
    """A picture that is not there, or cannot be used."""


@dataclass(frozen=True)
class Query:
    """What is looked for: a picture, or words."""

    name: str
    jpeg: bytes = b""
    appid: int | None = None  # of a game of the store
    here: bool = False  # whether that game has features
    words: str = ""
    note: str = ""  # what to know about it

    @property
    def own(self) -> int:
        """The appid of its own game among the features; -1 where there is none."""
        return self.appid if self.here and self.appid is not None else -1


def index_of(features: "Features", games: pd.DataFrame | None) -> Index:
    """Return the search over the games that have features, the most reviewed first."""
    if games is None:
        return Index(features.appids.tolist(), features.names.tolist())
    reviews = games.set_index("appid")["review_count"].reindex(features.appids).fillna(-1)
    return Index(features.appids.tolist(), features.names.tolist(), reviews.tolist())


def find(features: "Features", text: str | int, catalogue: pd.DataFrame | None = None) -> int:
    """Return the appid of the game that somebody means by an appid or part of a name; raises NoGame."""
    found = index_of(features, catalogue).find(str(text), limit=1)
    if not found:
        raise NoGame(f"no game here is called “{text}”, nor nearly so; write part of another name, or an appid")
    return found[0]


def from_store(appid: int, store: "Settings") -> Query:
    """Return a game that has no features here, its banner fetched from the store.

    Raises NoPicture where the store has no such game or no banner of it, and what asking the store raises.
    """
    games = catalogue.fetch_games([appid], api_url=store.api_url, assets_url=store.assets_url)
    if games.empty:
        raise NoPicture(f"the store has no game with the appid {appid}: {games.attrs['unknown'][appid]}")
    name = games["name"].iloc[0]
    address = games["banner_url"].iloc[0]
    if not address:
        raise NoPicture(f"the store has no vertical banner of {name}")
    return Query(name, banners.own(address, name).jpeg, appid, note="It is not among the games here: just fetched.")


def from_web(address: str) -> Query:
    """Return a picture of the web as a query; raises NoPicture for any other address, and banners.Refused."""
    if not address.lower().startswith(("http://", "https://")):  # others may use the control: no files of this machine
        raise NoPicture(f"“{address}” is no web address; it must begin with http:// or https://")
    return from_bytes(banners.content(address), "A picture from the web")


def from_bytes(content: bytes, name: str) -> Query:
    """Return a picture file's bytes as a query, with a word where its sides were cut off; raises banners.Refused."""
    width, height = picture_size(content)
    note = ""
    if abs(width / height / _BANNER_RATIO - 1) > _NEARLY:
        note = f"{width} x {height} pixels is no banner's shape: you see what was compared, its middle."
    return Query(name, banners.own(content, name).jpeg, note=note)
