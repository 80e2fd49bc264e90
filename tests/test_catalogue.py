"""The catalogue, asked of the loopback store over real HTTP, in good days and in bad ones."""

import dataclasses
import http.server
import json
import threading
from contextlib import contextmanager

import pytest

import sample
from utils import catalogue

QUERY = "IStoreQueryService/Query"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(catalogue, "_WAIT", 0.01)


@pytest.fixture
def store():
    with sample.Store(sample.many(1_300)) as opened:
        yield opened


def fetch(store, limit=None, **options):
    return catalogue.fetch_catalogue(limit, api_url=store.api_url, assets_url=store.assets_url, **options)


def test_the_whole_store_in_typed_columns(store):
    games = fetch(store)
    assert {name: str(kind) for name, kind in games.dtypes.items()} == catalogue.COLUMNS
    assert games["appid"].tolist() == [game.appid for game in store.games]
    assert games.attrs == {"announced": 1_300, "distinct": 1_300, "adult": 0, "skipped": {}}
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
    with pytest.raises(ValueError, match=r"'best'; known are title, .*newest"):
        fetch(store, 3, order="best")
    with pytest.raises(ValueError, match="limit is -1"):
        fetch(store, -1)


def test_the_whole_of_steam_within_230_requests():
    with sample.Store(sample.many(110_000)) as store:
        games = fetch(store)
        assert len(games) == games["appid"].nunique() == 110_000
        assert store.count(QUERY) <= 230


def test_games_taken_off_the_list_while_paging_hide_no_other(store):
    def take_off(store):
        store.games = store.games[100:]

    store.trouble(rf'{QUERY}.*"start":[1-9]', take_off, times=1)
    games = fetch(store)
    assert set(games["appid"]) >= {game.appid for game in store.games}
    assert games["appid"].is_unique


def test_games_added_while_paging_are_not_doubled(store):
    def add(store):
        store.games = [dataclasses.replace(store.games[0], appid=5), *store.games]

    store.trouble(rf'{QUERY}.*"start":[1-9]', add, times=1)
    games = fetch(store)
    assert games["appid"].is_unique
    assert len(games) == 1_300


def test_a_list_that_never_meets_itself_ends(store):
    def shuffle(store):
        store.games = store.games[700:] + store.games[:700]

    store.trouble(QUERY, shuffle)
    assert fetch(store)["appid"].is_unique


def test_an_interrupted_crawl_goes_on_where_it_stopped(store, tmp_path):
    store.trouble(QUERY, 500, skip=2)
    with pytest.raises(catalogue.StoreBusy):
        fetch(store, keep=tmp_path / "pages")
    store.calm()
    store.requests.clear()
    assert len(fetch(store, keep=tmp_path / "pages")) == 1_300
    assert store.count(QUERY) == 1
    assert not (tmp_path / "pages").exists()


@pytest.mark.parametrize("trouble", [429, 500, 503, 403, "html", "empty", "truncated", "drop"])
def test_passing_trouble_passes(store, trouble):
    store.trouble(QUERY, trouble, times=2, seconds=0.01)
    assert len(fetch(store)) == 1_300


@pytest.mark.parametrize(
    ("trouble", "error", "words"),
    [
        (401, catalogue.StoreClosed, "STEAM_API_KEY"),
        (403, catalogue.StoreClosed, "too many requests, or a door"),
        (404, catalogue.StoreClosed, "door is closed"),
        (429, catalogue.StoreBusy, "answered 429"),
        (500, catalogue.StoreBusy, "answered 500"),
        ("html", catalogue.StoreNonsense, "no JSON"),
        ("empty", catalogue.StoreNonsense, "no 'metadata'"),
        ("truncated", catalogue.StoreNonsense, "broke off"),
        ("drop", catalogue.StoreUnreachable, "cannot be reached"),
    ],
)
def test_each_kind_of_lasting_trouble_is_told_apart(store, trouble, error, words):
    store.trouble(QUERY, trouble, seconds=0.01)
    with pytest.raises(error, match=words) as caught:
        fetch(store)
    assert "127.0.0.1" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_retry_after_is_honoured(store):
    store.trouble(QUERY, 429, times=1, seconds=1)
    fetch(store)
    asked = [request.at for request in store.requests if QUERY in request.target]
    assert asked[1] - asked[0] >= 1


def test_no_network_names_the_host_and_the_sample():
    with pytest.raises(catalogue.StoreUnreachable, match="'sample'"):
        catalogue.fetch_catalogue(api_url="http://127.0.0.1:9")


def test_named_games_in_the_order_asked(store):
    wanted = [store.games[place].appid for place in (250, 3, 3, 120)]
    games = catalogue.fetch_games([*wanted, 12], api_url=store.api_url, assets_url=store.assets_url)
    assert games["appid"].tolist() == [wanted[0], wanted[1], wanted[3]]
    assert games.attrs["unknown"] == [12]
    many = catalogue.fetch_games(
        (game.appid for game in store.games), api_url=store.api_url, assets_url=store.assets_url
    )
    assert len(many) == 1_300
    assert catalogue.fetch_games([], api_url=store.api_url, assets_url=store.assets_url).empty


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


def test_a_key_is_sent_where_there_is_one(store, monkeypatch):
    monkeypatch.setenv("STEAM_API_KEY", "my-own-key")
    fetch(store, 1)
    assert store.count(f"{QUERY}.*key=my-own-key") == 1


def test_a_saved_catalogue_comes_back(store, tmp_path):
    games = fetch(store, 30)
    catalogue.save(games, tmp_path / "home" / "catalogue.parquet")
    again = catalogue.load(tmp_path / "home" / "catalogue.parquet")
    assert again.to_dict("list").keys() == games.to_dict("list").keys()
    assert again["appid"].tolist() == games["appid"].tolist()
    assert [list(tags) for tags in again["tags"]] == games["tags"].tolist()
    with pytest.raises(catalogue.CatalogueMissing, match="download notebook"):
        catalogue.load(tmp_path / "none.parquet")


GOOD = {"appid": 10, "name": "Good", "success": 1}
ASSETS = {"asset_url_format": "steam/apps/10/${FILENAME}?t=5", "library_capsule": "abc/library_600x900.jpg"}


@contextmanager
def answering(items):
    """A server that answers every service with these items, for answers that no well-built store gives."""
    response = {"metadata": {"total_matching_records": str(len(items))}, "store_items": items}
    response["ids"] = [{"appid": place + 1} for place in range(len(items))]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"response": response}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({**GOOD, "success": 15}, "hidden"),
        ({**GOOD, "type": 4}, "not a game"),
        ({**GOOD, "appid": None}, "without appid"),
        ({**GOOD, "name": 7}, "without appid or name"),
        ({**GOOD, "basic_info": "text"}, "'basic_info' of another type"),
        ({**GOOD, "assets": [1]}, "'assets' of another type"),
        ({**GOOD, "assets": {**ASSETS, "library_capsule": "../../x.jpg"}}, "file name"),
        ({**GOOD, "assets": {**ASSETS, "library_capsule": "https://evil.example/x.jpg"}}, "file name"),
        ({**GOOD, "assets": {**ASSETS, "asset_url_format": "//evil.example/${FILENAME}"}}, "file name"),
        ({**GOOD, "assets": {**ASSETS, "asset_url_format": "steam/../${FILENAME}"}}, "file name"),
        ({**GOOD, "assets": {**ASSETS, "library_capsule": 12}}, ""),
        ({**GOOD, "tagids": 5}, ""),
    ],
)
def test_malformed_items_are_skipped_and_counted(item, reason):
    with answering([GOOD, item, "no object", {**GOOD, "appid": "30"}]) as url:
        games = catalogue.fetch_catalogue(api_url=url)
    assert games["appid"].tolist() == [10, 30]
    assert sum(games.attrs["skipped"].values()) == 1
    assert reason in next(iter(games.attrs["skipped"]))


def test_numbers_as_text_and_the_larger_banner():
    item = {
        **GOOD,
        "appid": "10",
        "assets": {
            "asset_url_format": "steam/apps/10/${FILENAME}",
            "library_capsule_2x": "hash/library_capsule_2x.jpg",
        },
        "reviews": {"summary_filtered": {"review_count": "12", "percent_positive": "91"}},
        "release": {"steam_release_date": "1500000000"},
        "content_descriptorids": ["3"],
    }
    with answering([item]) as url:
        game = catalogue.fetch_catalogue(api_url=url, assets_url="https://host/store_item_assets/", adult=True).iloc[0]
    assert game["banner_url"] == "https://host/store_item_assets/steam/apps/10/hash/library_capsule_2x.jpg"
    assert (game["review_count"], game["review_score"], game["release_date"]) == (12, 91.0, 1_500_000_000)
    assert game["adult"]
    assert game["updated"] == 0
