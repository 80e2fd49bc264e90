"""Questions to the sample's store, as a client of Steam's services puts them."""

import json

import requests

QUERY = "/IStoreQueryService/Query/v1/"
ITEMS = "/IStoreBrowseService/GetItems/v1/"
PLAYED = "/ISteamChartsService/GetMostPlayedGames/v1/"
TAGS = "/IStoreService/GetTagList/v1/"
SUGGESTIONS = "/IStoreQueryService/SearchSuggestions/v1/"
ALIKE = "/IStoreQueryService/MoreLikeThis/v1/"
GAMES_ONLY = {"released_only": True, "type_filters": {"include_apps": True, "include_games": True}}
EVERYTHING = {
    "include_assets": True,
    "include_basic_info": True,
    "include_reviews": True,
    "include_release": True,
    "include_tag_count": 20,
}


def get(store, path, *, stream=False, **asked):
    params = {"input_json": json.dumps(asked)} if asked else None
    return requests.get(store.api_url + path, params=params, timeout=10, stream=stream)


def ask(store, path, **asked):
    return get(store, path, **asked).json()["response"]


def query(store, wanted=EVERYTHING, **words):
    words = {"start": 0, "count": 500, "sort": 2, "filters": GAMES_ONLY} | words
    return ask(store, QUERY, query=words, data_request=wanted)


def picture(store, game, *, stream=False):
    address = f"{store.assets_url}steam/apps/{game.appid}/{game.banner}?t={game.updated}"
    return requests.get(address, timeout=30, stream=stream)
