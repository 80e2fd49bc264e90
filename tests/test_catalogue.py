"""The catalogue, asked of the loopback store over real HTTP, on good days."""

import pytest

import sample
from utils import catalogue, settings

QUERY = "IStoreQueryService/Query"


def addresses(store):
    return {"api_url": store.api_url, "assets_url": store.assets_url}


def fetch(store, limit=None, **options):
    return catalogue.fetch_catalogue(limit, **addresses(store), **options)


def test_the_whole_store_in_typed_columns(store):
    games = fetch(store)
    assert {name: str(kind) for name, kind in games.dtypes.items()} == catalogue.COLUMNS
    assert games["appid"].tolist() == [game.appid for game in store.games]
    counted = {"announced": 1_300, "short": 0, "distinct": 1_300, "adult": 0, "skipped": {}}
    assert games.attrs == counted | {"tags": 44, "request": {"limit": 0, "order": "", "adult": False}}
    assert store.count(QUERY) == 3
    first = games.iloc[1]
    assert first["franchises"] == ["Synthetic series 0"]
    assert first["developers"] == ["Studio 0"]
    assert first["review_count"] == 1
    assert first["banner_url"].startswith(store.assets_url)
    assert f"?t={first['updated']}" in first["banner_url"]


def test_the_sample_store_has_its_share_of_trouble():
    with sample.Store() as store:
        games, everything = fetch(store), fetch(store, adult=True)
    assert len(everything) - len(games) == games.attrs["adult"] == 2
    assert not games["adult"].any()
    assert games["banner_url"].isna().sum() == 1
    assert games["review_score"].isna().any()
    assert games["tags"].map(len).max() > 2


def test_the_first_games_of_an_order(store):
    best = fetch(store, 7)
    assert best["review_count"].is_monotonic_decreasing
    assert len(best) == 7
    assert store.count(QUERY) == 1
    assert len(fetch(store, 600, order="newest")) == 600


def test_an_unknown_order_and_a_negative_limit(store):
    with pytest.raises(ValueError, match=r"'best'; known are top sellers, .*title"):
        fetch(store, 3, order="best")
    with pytest.raises(ValueError, match="limit is -1"):
        fetch(store, -1)


def test_named_games_in_the_order_asked(store):
    wanted = [store.games[place].appid for place in (250, 3, 3, 120)]
    games = catalogue.fetch_games([*wanted, 12], **addresses(store))
    assert games["appid"].tolist() == [wanted[0], wanted[1], wanted[3]]
    assert games.attrs["unknown"] == [12]
    many = catalogue.fetch_games((game.appid for game in store.games), **addresses(store))
    assert len(many) == 1_300
    assert catalogue.fetch_games([], **addresses(store)).empty


def test_most_played_by_rank():
    with sample.Store() as store:
        chart = catalogue.fetch_most_played(api_url=store.api_url)
        known = {game.appid for game in store.games}
    assert chart["rank"].tolist() == list(range(1, len(chart) + 1))
    assert set(chart["appid"]) <= known
    assert len(chart) >= 10


def test_addresses_come_from_the_environment(store, monkeypatch):
    monkeypatch.setenv("STEAM_API_URL", store.api_url)
    monkeypatch.setenv("STEAM_ASSETS_URL", store.assets_url)
    assert catalogue.fetch_catalogue(limit=2)["banner_url"].str.startswith(store.assets_url).all()


def test_every_order_of_the_settings_is_asked_for_as_the_service_calls_it(store):
    for order in settings.ORDERS:
        fetch(store, 1, order=order)
    sorts = [store.count(f'"sort":{number},') for number in (10, 30, 40, 1)]
    assert sorts == [1, 1, 1, 1]


def test_more_like_this():
    with sample.Store() as store:
        game = store.games[3]
        alike = catalogue.more_like_this(game.appid, 5, api_url=store.api_url)
        shared = [len(set(game.tags).intersection(tags)) for tags in alike["tags"]]
        with pytest.raises(ValueError, match="'x' is no appid"):
            catalogue.more_like_this("x", 5, api_url=store.api_url)
    assert 0 < len(alike) <= 5
    assert game.appid not in alike["appid"].tolist()
    assert shared == sorted(shared, reverse=True)
    assert min(shared) > 0


def test_popular_are_the_most_played_then_the_most_reviewed():
    with sample.Store() as store:
        games = fetch(store)
        played = catalogue.fetch_most_played(api_url=store.api_url)["appid"].tolist()
        assert catalogue.popular(games, 5, api_url=store.api_url) == played[:5]
        store.trouble("GetMostPlayedGames", 404)
        most = games.loc[games["review_count"].idxmax(), "appid"]
        assert catalogue.popular(games, 1, api_url=store.api_url) == [most]


@pytest.mark.parametrize("appids", [["620", "x"], [0], [-5], [2**32], [None], ["\u00b2"]])
def test_what_is_no_appid_is_named(store, appids):
    with pytest.raises(ValueError, match="is no appid; allowed are whole numbers"):
        catalogue.fetch_games(appids, **addresses(store))


def test_the_summary_says_what_is_and_what_is_not():
    with sample.Store() as store:
        games = fetch(store)
    said = f"{len(games)} games of {len(games) + 2} announced; 2 for adults only left out"
    assert catalogue.summary(games) == said
