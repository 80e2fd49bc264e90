"""What should match, as the catalogue knows it: games of one franchise, games of the same developers."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from utils.errors import MatchError
from utils.names import compare_key

LARGEST = 50  # games: a franchise or a developer with more says little about how a banner looks
PEOPLE = 4  # developers: a franchise with more, and with one for every two of its games, is a publisher's

Members = dict[str, set[int]]  # a name's key -> the appids of its games


class Query(NamedTuple):
    """A game, and what a ranking of the others should look like."""

    appid: int
    group: str  # the franchise or developer that it counts for
    relevant: frozenset[int]  # appids that should come first
    ignored: frozenset[int] = frozenset()  # appids that count neither for nor against


def franchises(catalogue: pd.DataFrame) -> list[Query]:
    """Return a query for every game that shares a franchise with another; those are the relevant ones.

    Names are compared by their letters and digits. A franchise is dropped where it merely names a publisher: it is
    called like a publisher or developer of the catalogue, has more than LARGEST games, or has more than PEOPLE first
    developers and at least one for every two games. A query counts for the smallest of its franchises.
    """
    members = {name: games for name, games in _franchises(catalogue).items() if len(games) > 1}
    own = _inverted(members).items()
    return [Query(appid, _smallest(members, names), _union(members, names) - {appid}) for appid, names in own]


def developers(catalogue: pd.DataFrame) -> list[Query]:
    """Return a query for every game whose developer made games of another franchise; those are the relevant ones.

    Only games with a franchise (see `franchises`) take part, those of the same franchise are ignored, and developers
    of more than LARGEST such games are dropped.
    """
    members = _franchises(catalogue)
    own = _inverted(members)
    every = _members(catalogue[catalogue["appid"].isin(own)], "developers")
    made = {name: games for name, games in every.items() if len(games) <= LARGEST}
    queries = []
    for appid, names in _inverted(made).items():
        same = _union(members, own[appid])
        relevant = _union(made, names) - same
        if relevant:
            queries.append(Query(appid, _smallest(made, names), relevant, same - {appid}))
    return queries


def require_truth(catalogue: pd.DataFrame) -> None:
    """Raise MatchError where no two games share a franchise or a developer: then no match is known to be right."""
    if not franchises(catalogue) and not developers(catalogue):
        raise MatchError(
            f"none of these {len(catalogue):,} games shares a franchise with another, so no match is known as right; "
            "for pictures of your own, give their CSV a column `title`, the same for all editions of a game"
        )


def among(queries: Iterable[Query], appids: Iterable[int]) -> list[Query]:
    """Return the queries that can be asked where only some games are shown: those with a relevant game among them."""
    shown = frozenset(appids)
    kept = []
    for query in queries:
        relevant = query.relevant & shown
        if relevant and query.appid in shown:
            kept.append(query._replace(relevant=relevant))
    return kept


def half(queries: Iterable[Query], name: str) -> list[Query]:
    """Return the queries of the "development" or the "test" half of the groups, which a hash of their name decides."""
    parity = ("development", "test").index(name)
    return [query for query in queries if hashlib.sha256(query.group.encode()).digest()[0] % 2 == parity]


def _franchises(catalogue: pd.DataFrame) -> Members:
    """Return the games of each franchise that is one, by the rule of `franchises`."""
    companies = _members(catalogue, "publishers").keys() | _members(catalogue, "developers").keys()
    first = catalogue.set_index("appid")["developers"].str[0].dropna().map(compare_key).to_dict()
    kept = {}
    for name, games in _members(catalogue, "franchises").items():
        people = set(map(first.get, games & first.keys()))
        many_hands = len(people) > PEOPLE and 2 * len(people) >= len(games)
        if name not in companies and len(games) <= LARGEST and not many_hands:
            kept[name] = games
    return kept


def _members(catalogue: pd.DataFrame, column: str) -> Members:
    members = defaultdict(set)
    for appid, names in zip(catalogue["appid"].tolist(), catalogue[column], strict=True):
        for key in filter(None, map(compare_key, names)):
            members[key].add(appid)
    return members


def _inverted(members: Members) -> dict[int, list[str]]:
    """Return the names of each game, by ascending appid."""
    own = defaultdict(list)
    for name, games in members.items():
        for appid in games:
            own[appid].append(name)
    return dict(sorted(own.items()))


def _smallest(members: Members, names: list[str]) -> str:
    return min(names, key=lambda name: (len(members[name]), name))


def _union(members: Members, names: Iterable[str]) -> frozenset[int]:
    return frozenset().union(*map(members.__getitem__, names))
