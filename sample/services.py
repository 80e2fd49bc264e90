"""The store's services over its games: the same questions, answers and habits as Steam's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from sample.games import DEMO, DLC, GAME, TAGS, Game

Fields = dict[str, Any]  # a JSON object

_PAGE_CAP = 500
_KINDS = {GAME: "include_games", DEMO: "include_demos", DLC: "include_dlc"}
_STEADY = 2
_SORTS: dict[int, Callable[[Game], Any]] = {
    1: lambda game: game.name.casefold(),  # title
    _STEADY: lambda _: 0,  # the order in which the games were given
    10: lambda game: -game.reviews,  # top sellers
    20: lambda game: -game.release_date,  # new and trending
    21: lambda game: -game.score,  # top rated
    30: lambda game: -game.players,  # most played
    40: lambda game: -game.release_date,  # newest
}


class Services:
    """Over the games of one moment, whose orders are remembered."""

    def __init__(self, games: Iterable[Game]) -> None:
        self.games = tuple(games)
        self.by_appid = {game.appid: game for game in self.games}
        self._orders: dict[str, list[Game]] = {}

    def query(self, asked: Fields) -> Fields:
        """IStoreQueryService/Query: one page of the catalogue, at most 500 games."""
        query = asked.get("query", {})
        start = int(query.get("start", 0))
        count = min(int(query.get("count", 10)), _PAGE_CAP)
        found = self._found(query.get("filters", {}), query.get("sort"))
        if query.get("sort") not in _SORTS:
            found = _shuffled(found, start)
        return _page(found[start : start + count], asked, len(found), start)

    def search_suggestions(self, asked: Fields) -> Fields:
        """IStoreQueryService/SearchSuggestions: the games whose names hold the words, the most reviewed first."""
        words = str(asked["search_term"]).casefold().split()
        popular = self._found(asked.get("filters", {}), 10)
        found = [game for game in popular if words and all(word in game.name.casefold() for word in words)]
        return _page(found[: int(asked.get("max_results", 10))], asked, len(found))

    def more_like_this(self, asked: Fields) -> Fields:
        """IStoreQueryService/MoreLikeThis: the other games that share tags with one, the most shared first."""
        game = self.by_appid[int(asked["item_id"]["appid"])]
        shared = {other.appid: len(set(game.tags).intersection(other.tags)) for other in self.games}
        others = [other for other in self._found(asked.get("filters", {}), 10) if other.appid != game.appid]
        found = sorted((other for other in others if shared[other.appid]), key=lambda other: -shared[other.appid])
        return _page(found[: int(asked.get("count", 10))], asked, len(found))

    def get_items(self, asked: Fields) -> Fields:
        """IStoreBrowseService/GetItems: an unknown appid comes back with success 15."""
        items = []
        for entry in asked.get("ids", []):
            appid = int(entry["appid"])
            if appid in self.by_appid:
                items.append(self.by_appid[appid].item(asked.get("data_request", {})))
            else:
                items.append({"item_type": 0, "id": appid, "success": 15, "appid": appid})
        return {"store_items": items} if items else {}

    def most_played(self, _: Fields) -> Fields:
        """ISteamChartsService/GetMostPlayedGames: at most 100 rows."""
        played = sorted((game for game in self.games if game.players), key=_SORTS[30])[:100]
        rows = [
            {"rank": rank, "appid": game.appid, "last_week_rank": rank % len(played) + 1, "peak_in_game": game.players}
            for rank, game in enumerate(played, 1)
        ]
        return {"rollup_date": 1_793_059_200, "ranks": rows} if rows else {}

    def tag_list(self, _: Fields) -> Fields:
        """IStoreService/GetTagList."""
        return {"tags": [{"tagid": tagid, "name": name} for name, tagid in TAGS.items()]}

    def _found(self, filters: Fields, sort: int | None) -> list[Game]:
        key = json.dumps([sort, filters], sort_keys=True)
        if key not in self._orders:
            passing = (game for game in self.games if _passes(game, filters))
            self._orders[key] = sorted(passing, key=_SORTS.get(sort or 0, _SORTS[_STEADY]))
        return self._orders[key]


SERVICES: dict[str, Callable[[Services, Fields], Fields]] = {
    "/IStoreQueryService/Query/v1/": Services.query,
    "/IStoreQueryService/SearchSuggestions/v1/": Services.search_suggestions,
    "/IStoreQueryService/MoreLikeThis/v1/": Services.more_like_this,
    "/IStoreBrowseService/GetItems/v1/": Services.get_items,
    "/ISteamChartsService/GetMostPlayedGames/v1/": Services.most_played,
    "/IStoreService/GetTagList/v1/": Services.tag_list,
}


def _page(games: list[Game], asked: Fields, total: int, start: int = 0) -> Fields:
    wanted = asked.get("data_request", {})
    return {
        "metadata": {"total_matching_records": total, "start": start, "count": len(games)},
        "ids": [{"appid": game.appid} for game in games],
        "store_items": [game.item(wanted) for game in games],
    }


def _shuffled(games: list[Game], seed: int) -> list[Game]:
    """Without a sort Steam's pages overlap: another order for every page."""
    order = np.random.default_rng(seed).permutation(len(games))
    return [games[place] for place in order]


def _passes(game: Game, filters: Fields) -> bool:
    tagids = {TAGS[tag] for tag in game.tags}
    kinds = filters.get("type_filters")
    return (
        not (filters.get("released_only") and not game.release_date)
        and (not kinds or bool(kinds.get(_KINDS[game.type])))
        and not set(game.descriptors).intersection(filters.get("content_descriptors_excluded", []))
        and not tagids.intersection(filters.get("tagids_exclude", []))
        and all(tagids.intersection(any_of["tagids"]) for any_of in filters.get("tagids_must_match", []))
    )
