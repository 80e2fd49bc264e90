"""The catalogue, asked of the loopback store over real HTTP: on good days, in trouble, and while its list changes."""

import json

import faults
import pytest
from hosts import refusal
from werkzeug import Response

import sample
from utils import catalogue, settings
from utils.catalogue import store as services
from utils.errors import SettingsError, StoreError

QUERY = "IStoreQueryService/Query"
LATER = rf'{QUERY}.*"start":[1-9]'  # every page but the first
NO_IDS = faults.Edit(lambda page: page.pop("ids"))
NO_TOTAL = faults.Edit(lambda page: page.pop("metadata", None))
GROWING_TOTAL = faults.Edit(lambda page: total(page, page["metadata"]["start"] + 10_000))


def total(page, announced):
    page["metadata"]["total_matching_records"] = announced


def addresses(store):
    return {"api_url": store.api_url, "assets_url": store.assets_url}


def fetch(store, limit=None, **options):
    return catalogue.fetch_catalogue(limit, **addresses(store), **options)


def test_the_whole_store_in_typed_columns(store):
    games = fetch(store)
    assert {name: str(kind) for name, kind in games.dtypes.items()} == catalogue.COLUMNS
    assert games["appid"].tolist() == [game.appid for game in store.games]
    counted = {"announced": 1_300, "short": 0, "adult": 0, "skipped": {}, "unreadable": {}, "tags": 44}
    made_by = {"request": {"limit": 0, "order": "", "adult": False}, "assets_url": store.assets_url}
    assert games.attrs == counted | made_by
    assert store.count(QUERY) == 3
    first = games.iloc[1]
    assert (first["franchises"], first["developers"]) == (["Synthetic series 0"], ["Studio 0"])
    assert first["banner_url"].startswith(store.assets_url)
    assert first["banner_url"].endswith(f"?t={first['updated']}")


def test_games_for_adults_are_left_out_unless_they_are_asked_for(sample_store):
    games, everything = fetch(sample_store), fetch(sample_store, adult=True)
    assert len(everything) - len(games) == games.attrs["adult"] == everything["adult"].sum() == 2
    assert not games["adult"].any()
    assert catalogue.summary(games) == f"{len(games)} games of {len(everything)} announced; 2 for adults only left out"


def test_the_first_games_of_an_order(store):
    best = fetch(store, 7)
    assert (len(best), store.count(QUERY)) == (7, 1)
    assert best["review_count"].is_monotonic_decreasing
    assert len(fetch(store, 600, order="newest")) == 600
    for order in settings.ORDERS:
        fetch(store, 1, order=order)
    assert [store.count(f'"sort":{number},') for number in (10, 30, 40, 1)] == [2, 1, 3, 1]
    assert "best" in refusal(SettingsError, fetch, store, order="best")
    assert "-1" in refusal(SettingsError, fetch, store, -1)


def test_named_games_in_the_order_asked(store):
    wanted = [store.games[place].appid for place in (250, 3, 3, 120)]
    games = catalogue.fetch_games([*wanted, 12], **addresses(store))
    assert games["appid"].tolist() == [wanted[0], wanted[1], wanted[3]]
    assert list(games.attrs["unknown"]) == [12]
    assert len(catalogue.fetch_games((game.appid for game in store.games), **addresses(store))) == 1_300
    assert catalogue.fetch_games([], **addresses(store)).empty
    for bad in (["620", "x"], [0], [-5], [2**32], [None], ["\u00b2"]):
        assert repr(bad[-1]) in refusal(SettingsError, catalogue.fetch_games, bad, **addresses(store))


def test_the_most_played_and_the_popular(sample_store, monkeypatch):
    chart = catalogue.fetch_most_played(api_url=sample_store.api_url)
    assert chart["rank"].tolist() == list(range(1, 27))
    games = fetch(sample_store)
    assert catalogue.popular(games, 5, api_url=sample_store.api_url) == chart["appid"].tolist()[:5]
    most = games.loc[games["review_count"].idxmax(), "appid"]
    assert catalogue.popular(games, 1, api_url="") == [most]  # no store to ask
    monkeypatch.setenv("STEAM_API_URL", sample_store.api_url)
    assert catalogue.popular(games, 5) == chart["appid"].tolist()[:5]


def test_more_like_this(sample_store):
    game = sample_store.games[3]
    alike = catalogue.more_like_this(game.appid, 5, api_url=sample_store.api_url)
    shared = [len(set(game.tags).intersection(tags)) for tags in alike["tags"]]
    assert 0 < len(alike) <= 5
    assert game.appid not in alike["appid"].tolist()
    assert shared == sorted(shared, reverse=True)
    assert min(shared) > 0


# A list that changes while it is read


@pytest.mark.slow
def test_the_whole_of_steam_within_230_requests():
    with faults.Store(sample.many(110_000)) as store:
        games = fetch(store)
        assert len(games) == games["appid"].nunique() == 110_000
        assert store.count(QUERY) <= 230


@pytest.mark.parametrize(("games", "gone"), [(1_300, 40), (505, 15), (1_300, 700)])
def test_games_taken_off_the_list_while_paging_hide_no_other(games, gone):
    with faults.Store(sample.many(games)) as store:
        store.trouble(LATER, lambda store: setattr(store, "games", store.games[gone:]), times=1)
        found = fetch(store)
        assert set(found["appid"]) >= {game.appid for game in store.games}
    assert found["appid"].is_unique
    assert found.attrs["short"] == 0


def test_a_list_whose_pages_overlap_is_read_again(store):
    """The first pass sees the same page twice; what it lacks comes with the second."""
    whole = store.games
    store.games = (*whole[:500], *whole[:500], *whole[1_000:])
    store.trouble(QUERY, lambda store: setattr(store, "games", whole), skip=3)
    assert len(fetch(store)) == 1_300


@pytest.mark.parametrize(("trouble", "short"), [(NO_IDS, 0), (NO_TOTAL, 0), (GROWING_TOTAL, 9_600)])
def test_pages_that_do_not_add_up(store, trouble, short):
    store.trouble(QUERY, trouble)
    games = fetch(store)
    assert len(games) == 1_300
    assert abs(games.attrs["short"] - short) < 1_000
    assert store.count(QUERY) < 20


def test_empty_pages_in_the_middle_are_asked_again_and_never_the_end(store):
    store.trouble(LATER, "empty", times=3)
    games = fetch(store)
    assert (len(games), games.attrs["short"]) == (1_300, 0)
    store.trouble(LATER, "empty")
    assert QUERY in refusal(StoreError, fetch, store)


def test_a_list_that_announces_more_than_it_gives_says_by_how_much(store):
    store.trouble(QUERY, faults.Edit(lambda page: total(page, 2_100)), times=1)
    store.trouble(QUERY, NO_TOTAL)
    games = fetch(store)
    assert (len(games), games.attrs["short"]) == (1_300, 800)
    assert "800" in catalogue.summary(games)


def test_a_list_that_grows_for_ever_ends(store, monkeypatch):
    fresh = iter(range(10**6, 10**8))

    def grow(answer):
        appids = [next(fresh) for _ in range(100)]
        answer["metadata"]["total_matching_records"] += 2_000
        answer["ids"] = [{"appid": appid} for appid in appids]
        answer["store_items"] = [{"appid": appid, "name": "More", "success": 1} for appid in appids]

    monkeypatch.setattr(services, "_PAGES", 20)
    store.trouble(QUERY, faults.Edit(grow))
    assert len(fetch(store)) == 100 * store.count(QUERY) <= 6_000


# Trouble


@pytest.mark.parametrize("trouble", [429, 503, 403, "html", "empty", "truncated", "drop", NO_TOTAL])
def test_passing_trouble_passes(store, trouble):
    store.trouble(QUERY, trouble, times=2, seconds=0.01)
    assert len(fetch(store)) == 1_300


LASTING = {401: "STEAM_API_KEY", 404: "STEAM_API_KEY", 429: "429", 418: "418", "html": "JSON", "empty": "Query"}
LASTING |= {"truncated": "'sample'", "drop": "'sample'", "bomb": "limit"}


@pytest.mark.parametrize(("trouble", "said"), LASTING.items())
def test_each_kind_of_lasting_trouble_is_one_line(store, trouble, said):
    store.trouble(QUERY, trouble, seconds=0.01)
    line = refusal(StoreError, fetch, store, 1)
    assert "127.0.0.1" in line
    assert said in line
    assert store.count(QUERY) == (1 if trouble in (401, 404, 418, "bomb") else 5)


@pytest.mark.parametrize(("result", "items"), [("84", []), ("2", [{"appid": 1, "name": "x"}]), ("1", [])])
def test_an_answer_that_means_trouble_is_asked_again_and_never_believed(httpserver, result, items):
    troubled = iter([False, True, False])

    def respond(request):
        asked = json.loads(request.args["input_json"])["ids"]
        good = [{"appid": each["appid"], "name": "Game", "success": 1} for each in asked]
        said, found = (result, items) if next(troubled, True) else ("1", good)
        return Response(json.dumps({"response": {"store_items": found}}), headers={"x-eresult": said})

    httpserver.expect_request("/IStoreBrowseService/GetItems/v1/").respond_with_handler(respond)
    url = httpserver.url_for("")
    games = catalogue.fetch_games(range(1, 151), api_url=url)
    assert (len(games), games.attrs["unknown"]) == (150, {})
    assert refusal(StoreError, catalogue.fetch_games, [1], api_url=url)


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"response": ' + "[" * 900 + "]" * 900 + "}",
        '{"response": {"metadata": {"total_matching_records": ' + "9" * 5_000 + "}}}",
        '{"response": {"metadata": {"total_matching_records": 1e999}, "ids": [[[]]]}}',
        '{"response": null}',
        "[]",
        b"\xff\xfe",
    ],
)
def test_json_of_another_shape_is_one_line(httpserver, body):
    httpserver.expect_request(f"/{QUERY}/v1/").respond_with_data(body, content_type="application/json")
    assert refusal(StoreError, catalogue.fetch_catalogue, api_url=httpserver.url_for(""))


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://[::1", "file:///etc/passwd", "http://h:x/", ""])
def test_an_address_where_no_store_is_is_one_line(address):
    assert refusal(StoreError, catalogue.fetch_catalogue, api_url=address)
    assert refusal(StoreError, catalogue.more_like_this, 620, 5, api_url=address)


def test_the_catalogue_survives_without_tags(store):
    store.trouble("GetTagList", 500)
    games = fetch(store)
    assert (len(games), games["tags"].map(len).max(), games.attrs["tags"]) == (1_300, 0, 0)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_is_left_out(store, monkeypatch, status):
    monkeypatch.setattr(settings, "store_key", lambda _: "my-wrong-key")
    store.trouble("key=my-wrong-key", status)
    assert len(fetch(store)) == 1_300
    assert store.count("my-wrong-key") == 1


def test_a_key_goes_to_steam_alone_and_is_in_no_message(httpserver, store, monkeypatch):
    monkeypatch.setenv("STEAM_API_KEY", "my-key")
    fetch(store, 1)
    assert store.count("my-key") == 0
    monkeypatch.setattr(settings, "store_key", lambda _: "my-key")
    away = {"Location": httpserver.url_for("/other?key=my-key"), "Content-Type": "my-type"}
    malformed = {"Location": "http://[::1/?key=my-key"}
    for status, headers in [(302, away), (500, {}), (200, {}), (404, {}), (302, malformed)]:
        httpserver.clear()
        httpserver.expect_request(f"/store/{QUERY}/v1/").respond_with_data("x", status, headers)
        line = refusal(StoreError, catalogue.fetch_catalogue, 1, api_url=httpserver.url_for("/store"))
        assert "my-key" not in line
        assert {request.path for request, _ in httpserver.log} == {f"/store/{QUERY}/v1/"}  # and nowhere else
        assert "key=my-key" in httpserver.log[0][0].url
