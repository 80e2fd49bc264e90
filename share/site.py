"""What the gallery, the lists and the API show: each game's name, picture and facts, and which games come first."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os.path import commonprefix
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

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
    """A game as it is shown."""

    appid: int
    name: str
    picture: str | None  # its address; None where there is none
    year: int = 0  # of its release; 0 where unknown
    score: int = -1  # percent of positive reviews; -1 without reviews
    tags: tuple[int, ...] = ()  # numbers in Site.tags
    makers: tuple[int, ...] = ()  # numbers that two games by the same people share
    reviews: int = 0


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
    tags: list[str]  # names, the commonest first
    popular: np.ndarray  # int64 (m,), rows
    by_reviews: np.ndarray  # int64 (n,), rows, the most reviewed first
    reviewed: bool  # whether anything is known of what is popular
    store_page: str | None = STORE_PAGE
    extras: Extras = field(default_factory=Extras)

    def rows(self, appids: np.ndarray) -> np.ndarray:
        """Return the rows of games that are all here."""
        return np.searchsorted(self.matches.appids, appids)

    def link(self, appid: int) -> str | None:
        """Return the address of a game's store page, if it has one."""
        return self.store_page and self.store_page.format(appid=appid)

    @cached_property
    def row_of(self) -> dict[int, int]:
        """Return appid -> row."""
        return {game.appid: row for row, game in enumerate(self.games)}

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
    reviews = known["review_count"].to_numpy()
    by_reviews = np.argsort(-reviews, kind="stable") if reviews.any() else _by_name(matches.names)
    rows = by_reviews[:POPULAR] if popular is None else pd.Index(matches.appids).get_indexer(list(popular))
    tags = _vocabulary(known["tags"])
    return Site(
        matches=matches,
        games=_games(matches, known, pictures, tags),
        tags=list(tags),
        popular=rows[rows >= 0],
        by_reviews=by_reviews,
        reviewed=bool(reviews.any()),
        store_page=store_page,
        extras=extras or Extras(),
    )


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
        known[column] = [list(each) if isinstance(each, (list, tuple, np.ndarray)) else [] for each in values]
    return known


def _games(
    matches: Matches, known: pd.DataFrame, pictures: Sequence[str | None], tags: Mapping[str, int]
) -> list[Game]:
    makers = [[compare_key(name) for name in names] for names in known["developers"] + known["franchises"]]
    people = _vocabulary(makers)
    columns = zip(
        matches.appids.tolist(),
        map(str, matches.names),
        pictures,
        release_years(known).tolist(),
        known["review_score"].tolist(),
        _numbers(known["tags"], tags),
        _numbers(makers, people),
        known["review_count"].tolist(),
        strict=True,
    )
    return [Game(*each) for each in columns]


def _vocabulary(lists: Iterable[Sequence[str]]) -> dict[str, int]:
    """Return a number for each word, the commonest being 0."""
    words = pd.Series([word for each in lists for word in each], dtype=object)
    return {word: number for number, word in enumerate(words.value_counts().index)}


def _numbers(lists: Iterable[Sequence[str]], vocabulary: Mapping[str, int]) -> list[tuple[int, ...]]:
    return [tuple(map(vocabulary.__getitem__, words)) for words in lists]


def _by_name(names: np.ndarray) -> np.ndarray:
    return np.argsort([str(name).casefold() for name in names], kind="stable")
