"""The catalogue, asked of the loopback store over real HTTP: on good days, in trouble, and while its list changes."""

import faults
import pytest
from hosts import refusal

import sample
from utils import catalogue, settings
from utils.catalogue import store as services
from utils.errors import SettingsError, StoreError

QUERY = "IStoreQueryService/Query"
LATER = rf'{QUERY}.*"start":[1-9]'  # every page but the first
NO_IDS = faults.Edit(lambda page: page.pop("ids"))
NO_TOTAL = faults.Edit(lambda page: page.pop("metadata", None))
MORE_THAN_THERE_ARE = faults.Edit(lambda page: page["metadata"].update(total_matching_records=2_100))
GROWING = faults.Edit(lambda page: page["metadata"].update(total_matching_records=page["metadata"]["start"] + 10_000))


def fetch(store, limit=None, **options):
    return catalogue.fetch_catalogue(limit, api_url=store.api_url, assets_url=store.assets_url, **options)


def test_the_whole_store_in_typed_columns(store):
    games = fetch(store)
    assert {name: str(kind) for name, kind in games.dtypes.items()} == catalogue.COLUMNS
    assert games["appid"].tolist() == [game.appid for game in store.games]
    counted = {"announced": 1_300, "short": 0, "adult": 0, "skipped": {}, "unreadable": {}, "tags": 44}
    made_by = {"request": {"limit": 0, "order": "", "adult": False}, "assets_url": store.assets_url}
    assert games.attrs == counted | made_by
    assert store.count(QUERY) == 3
    game = games.iloc[1]
    assert (game["franchises"], game["developers"]) == (["Synthetic series 0"], ["Studio 0"])
    assert game["banner_url"].startswith(store.assets_url)
    assert game["banner_url"].endswith(f"?t={game['updated']}")


@pytest.mark.slow
def test_the_whole_of_steam_within_230_requests():
    with faults.Store(sample.many(110_000)) as store:
        assert fetch(store)["appid"].nunique() == 110_000
        assert store.count(QUERY) <= 230


def test_games_for_adults_are_left_out_unless_they_are_asked_for(sample_store):
    games, everything = fetch(sample_store), fetch(sample_store, adult=True)
    assert len(everything) - len(games) == games.attrs["adult"] == everything["adult"].sum() == 2
    assert not games["adult"].any()
    assert catalogue.summary(games) == f"{len(games)} games of {len(everything)} announced; 2 for adults only left out"


def test_the_first_games_of_an_order(store):
    best = fetch(store, 7)
    assert (len(best), store.count(QUERY)) == (7, 1)
    assert best["review_count"].is_monotonic_decreasing
    assert [len(fetch(store, 600, order=order)) for order in settings.ORDERS] == [600] * 4
    assert [store.count(f'"sort":{number},') for number in (10, 30, 40, 1)] == [3, 2, 2, 2]
    assert "best" in refusal(SettingsError, fetch, store, order="best")
    assert "-1" in refusal(SettingsError, fetch, store, -1)


def test_named_games_in_the_order_asked(store):
    wanted = [store.games[place].appid for place in (250, 3, 3, 120)]
    games = catalogue.fetch_games([*wanted, 12], api_url=store.api_url)
    assert games["appid"].tolist() == [wanted[0], wanted[1], wanted[3]]
    assert list(games.attrs["unknown"]) == [12]
    assert len(catalogue.fetch_games((game.appid for game in store.games), api_url=store.api_url)) == 1_300
    assert catalogue.fetch_games([], api_url=store.api_url).empty
    for bad in (["620", "x"], [0], [-5], [2**32], [None], ["\u00b2"]):
        assert repr(bad[-1]) in refusal(SettingsError, catalogue.fetch_games, bad, api_url=store.api_url)


def test_the_most_played_and_the_popular(sample_store, monkeypatch):
    chart = catalogue.fetch_most_played(api_url=sample_store.api_url)
    assert chart["rank"].tolist() == list(range(1, 27))
    games = fetch(sample_store)
    assert catalogue.popular(games, 5, api_url=sample_store.api_url) == chart["appid"].tolist()[:5]
    most = games.loc[games["review_count"].idxmax(), "appid"]
    for nowhere in ("", "http://127.0.0.1:9", "http://[::1", "file:///etc/passwd", "http://h:x/"):
        assert catalogue.popular(games, 1, api_url=nowhere) == [most]
    monkeypatch.setenv("STEAM_API_URL", sample_store.api_url)
    assert catalogue.popular(games, 5) == chart["appid"].tolist()[:5]


@pytest.mark.parametrize("ranks", [5, [None, 7], [{"rank": "--1", "appid": 5}], [{"rank": 1, "appid": 10**400}]])
def test_a_chart_of_nonsense_is_empty(store, ranks):
    store.trouble("GetMostPlayedGames", faults.Edit(lambda answer: answer.update(ranks=ranks)))
    assert catalogue.fetch_most_played(api_url=store.api_url).to_dict("list") == {"rank": [], "appid": []}


def test_more_like_this(sample_store):
    game = sample_store.games[3]
    alike = catalogue.more_like_this(game.appid, 5, api_url=sample_store.api_url)
    shared = alike["tags"].map(lambda tags: len(set(tags).intersection(game.tags)))
    assert shared.is_monotonic_decreasing
    assert (0 < len(alike) <= 5, shared.min() > 0, game.appid in alike["appid"].tolist()) == (True, True, False)


# A list that changes while it is read


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


@pytest.mark.parametrize(
    ("trouble", "short"), [(NO_IDS, 0), (NO_TOTAL, 0), (MORE_THAN_THERE_ARE, 800), (GROWING, 9_900)]
)
def test_pages_that_do_not_add_up_and_by_how_much_they_are_short(store, trouble, short):
    store.trouble(QUERY, trouble, times=1 if trouble is MORE_THAN_THERE_ARE else 99)
    store.trouble(QUERY, NO_TOTAL)  # then
    games = fetch(store)
    assert (len(games), games.attrs["short"]) == (1_300, pytest.approx(short, rel=0.02))
    assert not short or f"{games.attrs['short']:,} fewer" in catalogue.summary(games)
    assert store.count(QUERY) < 20


def test_a_list_that_grows_for_ever_ends(store, monkeypatch):
    fresh = iter(range(10**6, 10**8))

    def grow(answer):
        answer["metadata"]["total_matching_records"] += 2_000
        answer["ids"] = answer["store_items"] = [{"appid": next(fresh), "name": "More"} for _ in range(100)]

    monkeypatch.setattr(services, "_PAGES", 20)
    store.trouble(QUERY, faults.Edit(grow))
    assert len(fetch(store)) == 100 * store.count(QUERY) <= 6_000


# Trouble


LASTING = {401: "STEAM_API_KEY", 404: "STEAM_API_KEY", 418: "418", "bomb": "limit"}
PASSING = {403: "403", 429: "429", 503: "503", "html": "JSON", "empty": "Query", "truncated": "'sample'"}
PASSING |= {"drop": "'sample'"}


@pytest.mark.parametrize(("trouble", "said"), [*LASTING.items(), *PASSING.items()])
def test_trouble_is_asked_again_where_it_may_pass_and_is_one_line_where_it_does_not(store, trouble, said):
    store.trouble(QUERY, trouble, seconds=0.01)
    line = refusal(StoreError, fetch, store, 1)
    assert ("127.0.0.1" in line, said in line) == (True, True)
    assert store.count(QUERY) == (5 if trouble in PASSING else 1)
    store.calm()
    if trouble in PASSING:  # an empty page in the middle is not the end
        store.trouble(LATER, trouble, times=2, seconds=0.01)
        assert len(fetch(store)) == 1_300


ITEM = b'{"appid": 1, "name": "A\xff\tB"}'  # bytes that are no UTF-8, and a raw control character
GOOD = b'{"response": {"metadata": {"total_matching_records": 1}, "store_items": [' + ITEM + b"]}}"
SHAPES = ["[" * 100_000, '{"response": ' + "[" * 900 + "]" * 900 + "}", '{"response": null}', "[]", b"\xff\xfe"]
SHAPES += ['{"response": {"metadata": {"total_matching_records": 1e999}, "ids": [[[]]]}}', '{"response": {}}']
SHAPES += [GOOD.replace(b": 1}", b": " + b"9" * 5_000 + b"}")]


@pytest.mark.parametrize(("result", "body"), [("84", GOOD), ("2", GOOD), *(("1", body) for body in SHAPES)])
def test_an_answer_that_means_trouble_is_asked_again_and_never_believed(httpserver, result, body):
    service, trouble = f"/{QUERY}/v1/", (body, 200, {"x-eresult": result})
    httpserver.expect_oneshot_request(service).respond_with_data(*trouble)
    httpserver.expect_oneshot_request(service).respond_with_data(GOOD)
    httpserver.expect_request(service).respond_with_data(*trouble)
    games = catalogue.fetch_catalogue(api_url=httpserver.url_for(""))
    assert (games["name"][0], games["tags"][0], games.attrs["tags"]) == ("A\ufffd B", [], 0)  # this store has no tags
    assert refusal(StoreError, catalogue.fetch_catalogue, api_url=httpserver.url_for(""))


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_is_left_out(store, monkeypatch, status):
    monkeypatch.setattr(settings, "store_key", lambda _: "my-key")
    store.trouble("key=my-key", status)
    assert (len(fetch(store)), store.count("my-key")) == (1_300, 1)


def test_a_key_goes_to_the_store_alone_and_is_in_no_message(httpserver, monkeypatch):
    monkeypatch.setattr(settings, "store_key", lambda _: "my-key")
    away, malformed = {"Location": httpserver.url_for("/other?key=my-key")}, {"Location": "http://[::1/?key=my-key"}
    for status, headers in [(302, away), (500, {}), (200, {}), (404, {}), (302, malformed)]:
        httpserver.clear()
        httpserver.expect_request(f"/store/{QUERY}/v1/").respond_with_data("x", status, headers)
        line = refusal(StoreError, catalogue.fetch_catalogue, 1, api_url=httpserver.url_for("/store"))
        assert "my-key" not in line
        assert {request.path for request, _ in httpserver.log} == {f"/store/{QUERY}/v1/"}  # and nowhere else
        assert "key=my-key" in httpserver.log[0][0].url
