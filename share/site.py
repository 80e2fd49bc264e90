"""What the gallery and the lists show: each game's name, picture and facts, and which games come first."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from utils.banners import Banner
from utils.matching import Matches
from utils.names import compare_key
from utils.settings import STORE_PAGE

POPULAR = 100  # games shown first, where the caller names none

_ADDRESS = re.compile(r"https?://[\w.:-]+/[\w.~/%?=&+-]*", re.ASCII)


@dataclass(frozen=True)
class Game:
    """A game as the gallery shows it."""

    appid: int
    name: str
    picture: str | None  # its address; None where there is none
    year: int = 0  # of its release; 0 where unknown
    score: int = -1  # percent of positive reviews; -1 without reviews
    tags: tuple[int, ...] = ()  # numbers in Site.tags
    makers: tuple[int, ...] = ()  # numbers that two games by the same people share


@dataclass(frozen=True)
class Extras:
    """What a gallery shows besides the matches; what is not given is not shown."""

    mirrored: Matches | None = None  # the neighbours of each banner's mirror image
    groups: Sequence[np.ndarray] = ()  # appids of near-duplicates, a group each
    plane: np.ndarray | None = None  # float (n, 2), where each game lies on the map


_NOTHING_MORE = Extras()


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
    extras: Extras = _NOTHING_MORE
    hosts: set[str] = field(default_factory=set)  # where the pictures are, if not beside the page

    def rows(self, appids: np.ndarray) -> np.ndarray:
        """Return the rows of games that are all here."""
        return np.searchsorted(self.matches.appids, appids)

    @cached_property
    def group_of(self) -> dict[int, int]:
        """Return appid -> the number of its group of near-duplicates, for the games that have one."""
        return {appid: number for number, group in enumerate(self.extras.groups) for appid in group.tolist()}

    @cached_property
    def base(self) -> str:
        """What the addresses of all pictures begin with, up to a slash."""
        addresses = [game.picture for game in self.games if game.picture]
        first = min(addresses, default="")
        last = max(addresses, default="")
        pairs = enumerate(zip(first, last, strict=False))
        same = next((at for at, (one, other) in pairs if one != other), len(first))
        return first[: first.rfind("/", 0, same) + 1]


def site(
    matches: Matches,
    catalogue: pd.DataFrame,
    pictures: Sequence[str | None],
    *,
    popular: Sequence[int] | None = None,
    store_page: str | None = STORE_PAGE,
    extras: Extras = _NOTHING_MORE,
) -> Site:
    """Return what is shown of the matches' games."""
    known = catalogue.drop_duplicates("appid").set_index("appid").reindex(matches.appids)
    reviews = known["review_count"].fillna(0).to_numpy() if "review_count" in known else np.zeros(len(known))
    reviewed = bool(reviews.any())
    by_reviews = np.argsort(-reviews, kind="stable") if reviewed else _by_name(matches.names)
    rows = by_reviews[:POPULAR] if popular is None else pd.Index(matches.appids).get_indexer(list(popular))
    tags = _vocabulary(_lists(known, "tags"))
    return Site(
        matches=matches,
        games=_games(matches, known, pictures, tags),
        tags=list(tags),
        popular=rows[rows >= 0],
        by_reviews=by_reviews,
        reviewed=reviewed,
        store_page=store_page,
        hosts=_hosts(pictures),
        extras=extras,
    )


def store_pictures(matches: Matches, catalogue: pd.DataFrame) -> list[str | None]:
    """Return the banners' addresses at the store; None where there is none, or one that is not plainly an address."""
    known = catalogue.drop_duplicates("appid").set_index("appid")["banner_url"].reindex(matches.appids)
    return [each if isinstance(each, str) and _ADDRESS.fullmatch(each) else None for each in known]


def copied_pictures(matches: Matches, album: Mapping[int, Banner]) -> list[str | None]:
    """Return the addresses of the banners beside the page; None where the album has none."""
    return [f"pictures/{appid}.jpg" if appid in album else None for appid in matches.appids.tolist()]


def _games(
    matches: Matches, known: pd.DataFrame, pictures: Sequence[str | None], tags: Mapping[str, int]
) -> list[Game]:
    released = known["release_date"].fillna(0) if "release_date" in known else np.zeros(len(known))
    scores = known["review_score"].fillna(-1) if "review_score" in known else np.full(len(known), -1)
    makers = _makers(known)
    people = _vocabulary(makers)
    columns = zip(
        matches.appids.tolist(),
        map(str, matches.names),
        pictures,
        _years(released),
        np.asarray(scores, np.int64).tolist(),
        (_numbers(each, tags) for each in _lists(known, "tags")),
        (_numbers(each, people) for each in makers),
        strict=True,
    )
    return [Game(*each) for each in columns]


def _lists(known: pd.DataFrame, column: str) -> list[list[str]]:
    """Return a column of lists; empty ones where the catalogue does not have it."""
    if column not in known:
        return [[]] * len(known)
    return [list(each) if isinstance(each, (list, tuple, np.ndarray)) else [] for each in known[column]]


def _makers(known: pd.DataFrame) -> list[list[str]]:
    """Return what the names of a game's developers and franchises have in common with other spellings."""
    both = zip(_lists(known, "developers"), _lists(known, "franchises"), strict=True)
    return [[compare_key(name) for name in developers + franchises] for developers, franchises in both]


def _vocabulary(lists: Sequence[Sequence[str]]) -> dict[str, int]:
    """Return a number for each word, the commonest being 0."""
    words = pd.Series([word for each in lists for word in each], dtype=object)
    return {word: number for number, word in enumerate(words.value_counts().index)}


def _numbers(words: Sequence[str], vocabulary: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(vocabulary[word] for word in words)


def _years(seconds: pd.Series | np.ndarray) -> list[int]:
    released = np.asarray(seconds, np.int64).astype("datetime64[s]")
    years = released.astype("datetime64[Y]").astype(np.int64) + 1970
    return np.where(np.asarray(seconds) > 0, years, 0).tolist()


def _by_name(names: np.ndarray) -> np.ndarray:
    return np.argsort([str(name).casefold() for name in names], kind="stable")


def _hosts(pictures: Sequence[str | None]) -> set[str]:
    parts = [urlsplit(each) for each in pictures if each]
    return {f"{each.scheme}://{each.netloc}" for each in parts if each.netloc}
