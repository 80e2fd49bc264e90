"""What the gallery, the lists and the API show: each game's name, picture and facts, and which games come first."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

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

    groups: Sequence[DuplicateGroup] = ()  # near-duplicates
    coordinates: np.ndarray | None = None  # float (n, 2), where each game lies on the map


@dataclass(frozen=True)
class Site:
    """All that is shown; a row is a game's place in the matches."""

    matches: Matches
    games: list[Game]  # (n,)
    makers: pd.Series  # (n,) of tuples: a key for each developer and franchise, whatever its spelling
    tags: list[str]  # the commonest first
    by_reviews: np.ndarray  # rows, int64 (n,), the most reviewed first; from A to Z where nothing is reviewed
    popular: np.ndarray  # rows of the games that are shown first
    reviewed: bool  # whether any game is
    store_page: str | None  # where a game leads, with {appid}
    extras: Extras

    def rows(self, appids: np.ndarray) -> np.ndarray:
        """Return the rows of games that are all here."""
        return np.searchsorted(self.matches.appids, appids)


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
    known = facts(catalogue, matches.appids)
    names, reviews = list(map(str, matches.names)), known["review_count"].to_numpy()
    columns = (matches.appids.tolist(), names, pictures, release_years(known).tolist(), known["review_score"].tolist())
    games = []
    for appid, *others in zip(*columns, known["tags"], strict=True):
        games.append(Game(appid, *others, store_page=store_page and store_page.format(appid=appid)))
    by_reviews = np.argsort(-reviews if reviews.any() else list(map(str.casefold, names)), kind="stable")
    first = by_reviews[:POPULAR]
    if popular is not None:
        wanted = np.array(popular, np.int64)
        first = np.searchsorted(matches.appids, wanted[np.isin(wanted, matches.appids)])
    makers = (known["developers"] + known["franchises"]).map(lambda names: tuple(map(compare_key, names)))
    tags = known["tags"].explode().value_counts().index.tolist()
    return Site(matches, games, makers, tags, by_reviews, first, bool(reviews.any()), store_page, extras or Extras())


def store_pictures(matches: Matches, catalogue: pd.DataFrame) -> list[str | None]:
    """Return the banners' addresses at the store; None where there is none, or one that is not plainly an address."""
    known = catalogue.drop_duplicates("appid").set_index("appid")["banner_url"].reindex(matches.appids)
    return [each if isinstance(each, str) and _ADDRESS.fullmatch(each) else None for each in known]


def copied_pictures(matches: Matches, album: Mapping[int, Banner], folder: str = "pictures/") -> list[str | None]:
    """Return the addresses of the banners in a folder; None where the album has none."""
    return [f"{folder}{appid}.jpg" if appid in album else None for appid in matches.appids.tolist()]


def facts(catalogue: pd.DataFrame, appids: np.ndarray) -> pd.DataFrame:
    """Return what a catalogue says about these games, in their order; 0, -1 or () for what it does not say."""
    known = catalogue.drop_duplicates("appid").set_index("appid").reindex(index=appids, columns=[*_UNKNOWN, *_LISTS])
    known = known.fillna(_UNKNOWN).astype(dict.fromkeys(_UNKNOWN, np.int64))
    for column in _LISTS:
        known[column] = known[column].map(lambda each: tuple(each) if np.iterable(each) else ())
    return known
