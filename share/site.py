"""What the gallery, the lists and the API show: each game's name, picture and facts, and which games come first."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os.path import commonprefix
from typing import Annotated
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
from pydantic import Field

from utils.banners import Banner
from utils.filters import release_years
from utils.matching import DuplicateGroup, Matches
from utils.names import compare_key
from utils.settings import STORE_PAGE

POPULAR = 100  # games shown first, where the caller names none

_ADDRESS = re.compile(r"https?://[\w.:-]+/[\w.~/%?=&+-]*", re.ASCII)
_UNKNOWN = {"review_count": 0, "review_score": -1, "release_date": 0}
_LISTS = ("tags", "developers", "franchises")


@dataclass(frozen=True)
class Game:
    """A game as it is shown, here and in the API's answers."""

    appid: int
    name: str
    picture: Annotated[str | None, Field(description="The banner's address, at the store or on this server")]
    year: Annotated[int, Field(description="Of its release; 0 where unknown")]
    score: Annotated[int, Field(description="Percent of positive reviews; -1 without reviews")]
    tags: tuple[str, ...]
    store_page: str | None


@dataclass(frozen=True)
class Extras:
    """What a gallery shows besides the matches; what is not given is not shown."""

    mirrored: Matches | None = None  # the neighbours of each banner's mirror image
    groups: Sequence[DuplicateGroup] = ()  # near-duplicates
    coordinates: np.ndarray | None = None  # float (n, 2), where each game lies on the map


@dataclass(frozen=True)
class Site:
    """All that is shown; a row is a game's place in the matches."""

    matches: Matches
    games: list[Game]  # (n,)
    reviews: np.ndarray  # int64 (n,), how many a game has
    makers: list[tuple[str, ...]]  # (n,), a key for each developer and franchise, whatever its spelling
    store_page: str | None  # where a game leads, with {appid}
    extras: Extras
    first: Sequence[int] | None  # appids of the games that are shown first, as far as they are here

    def rows(self, appids: np.ndarray) -> np.ndarray:
        """Return the rows of games that are all here."""
        return np.searchsorted(self.matches.appids, appids)

    @cached_property
    def row_of(self) -> dict[int, int]:
        """Return appid -> row."""
        return {game.appid: row for row, game in enumerate(self.games)}

    @cached_property
    def tags(self) -> dict[str, int]:
        """Return a number for each tag, the commonest being 0."""
        return _vocabulary(game.tags for game in self.games)

    @cached_property
    def numbers(self) -> list[tuple[list[int], list[int]]]:
        """Return the numbers of each game's tags, and of its makers: two games by the same people share one."""
        people = _vocabulary(self.makers)
        both = zip(self.games, self.makers, strict=True)
        return [([self.tags[tag] for tag in game.tags], [people[maker] for maker in makers]) for game, makers in both]

    @cached_property
    def group_of(self) -> dict[int, int]:
        """Return appid -> the number of its group of near-duplicates, for the games that have one."""
        return {appid: number for number, group in enumerate(self.extras.groups) for appid in group}

    @cached_property
    def base(self) -> str:
        """What the addresses of all pictures begin with, up to a slash."""
        same = commonprefix([game.picture for game in self.games if game.picture])  # noqa: RUF071 - then cut at a slash
        return same[: same.rfind("/") + 1]

    @property
    def hosts(self) -> set[str]:
        """Where the pictures are, if not beside the page."""
        parts = (urlsplit(game.picture) for game in self.games if game.picture)
        return {f"{each.scheme}://{each.netloc}" for each in parts if each.netloc}

    @cached_property
    def by_reviews(self) -> np.ndarray:
        """Return the rows, int64 (n,), the most reviewed first; from A to Z where nothing is reviewed."""
        if self.reviews.any():
            return np.argsort(-self.reviews, kind="stable")
        return np.argsort([game.name.casefold() for game in self.games], kind="stable")

    @cached_property
    def popular(self) -> np.ndarray:
        """Return the rows of the games that are shown first."""
        if self.first is None:
            return self.by_reviews[:POPULAR]
        return np.array([self.row_of[appid] for appid in self.first if appid in self.row_of], dtype=np.int64)


def site(
    matches: Matches,
    catalogue: pd.DataFrame,
    pictures: Sequence[str | None],
    *,
    popular: Sequence[int] | None = None,
    store_page: str | None = STORE_PAGE,
    extras: Extras | None = None,
) -> Site:
    """Return what is shown of the matches' games; `pictures` are their addresses, (n,)."""
    known = _filled(catalogue, matches.appids)
    columns = zip(
        matches.appids.tolist(),
        map(str, matches.names),
        pictures,
        release_years(known).tolist(),
        known["review_score"].tolist(),
        known["tags"],
        strict=True,
    )
    games = [Game(*each, store_page=store_page and store_page.format(appid=each[0])) for each in columns]
    makers = [tuple(map(compare_key, names)) for names in known["developers"] + known["franchises"]]
    return Site(matches, games, known["review_count"].to_numpy(), makers, store_page, extras or Extras(), popular)


def store_pictures(matches: Matches, catalogue: pd.DataFrame) -> list[str | None]:
    """Return the banners' addresses at the store; None where there is none, or one that is not plainly an address."""
    known = catalogue.drop_duplicates("appid").set_index("appid")["banner_url"].reindex(matches.appids)
    return [each if isinstance(each, str) and _ADDRESS.fullmatch(each) else None for each in known]


def copied_pictures(matches: Matches, album: Mapping[int, Banner], folder: str = "pictures/") -> list[str | None]:
    """Return the addresses of the banners in a folder; None where the album has none."""
    return [f"{folder}{appid}.jpg" if appid in album else None for appid in matches.appids.tolist()]


def _filled(catalogue: pd.DataFrame, appids: np.ndarray) -> pd.DataFrame:
    """Return what a catalogue says about these games, in their order, and the same for what it does not say."""
    known = catalogue.drop_duplicates("appid").set_index("appid").reindex(appids)
    for column, unknown in _UNKNOWN.items():
        known[column] = known[column].fillna(unknown).astype(np.int64) if column in known else unknown
    for column in _LISTS:
        values = known[column] if column in known else [None] * len(known)
        known[column] = [tuple(each) if isinstance(each, (list, tuple, np.ndarray)) else () for each in values]
    return known


def _vocabulary(lists: Iterable[Sequence[str]]) -> dict[str, int]:
    """Return a number for each word, the commonest being 0."""
    words = pd.Series([word for each in lists for word in each], dtype=object)
    return {word: number for number, word in enumerate(words.value_counts().index)}
