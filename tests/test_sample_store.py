"""The sample store over real HTTP: its services, its log, its end."""

import gzip
import http.client
import io
import socket

import numpy as np
import pytest
import requests
from PIL import Image
from store_client import (
    ALIKE,
    EVERYTHING,
    GAMES_ONLY,
    ITEMS,
    PLAYED,
    QUERY,
    SUGGESTIONS,
    TAGS,
    ask,
    get,
    picture,
    query,
)

import sample


def test_a_page_has_steams_shape(shop):
    page = query(shop, count=3)
    assert page["metadata"] == {"total_matching_records": 159, "start": 0, "count": 3}
    assert [entry["appid"] for entry in page["ids"]] == [90000010, 90000020, 90000030]
    item = page["store_items"][1]
    assert (item["item_type"], item["type"], item["success"], item["visible"]) == (0, 0, 1, True)
    assert item["id"] == item["appid"] == 90000020
    assert item["reviews"]["summary_filtered"]["review_count"] == 24105
    assert item["basic_info"]["franchises"][0]["name"] == "Alpenrune"
    assert item["tags"][0] == {"tagid": 21, "weight": 900}
    assert "content_descriptorids" not in item  # empty fields are left out
    assert item["assets"]["asset_url_format"] == "steam/apps/90000020/${FILENAME}?t=1307232000"
    assert item["assets"]["library_capsule"].endswith("/library_600x900.jpg")
    assert item["assets"]["library_capsule_2x"].endswith("/library_600x900_2x.jpg")


def test_only_the_parts_asked_for_are_answered(shop):
    bare = query(shop, wanted={}, count=1)["store_items"][0]
    assert not {"assets", "basic_info", "reviews", "release", "tags", "tagids"} & bare.keys()


def test_some_numbers_are_strings(shop):
    counts = [
        item["reviews"]["summary_filtered"]["review_count"] for item in query(shop)["store_items"] if "reviews" in item
    ]
    assert {type(count) for count in counts} == {int, str}


def test_pages_follow_each_other_and_end():
    with sample.Store(sample.many(1_201)) as store:
        pages = [query(store, wanted={}, start=start, count=1_000) for start in (0, 500, 1_000, 1_500)]
    appids = [entry["appid"] for page in pages for entry in page["ids"]]
    assert [page["metadata"]["count"] for page in pages] == [500, 500, 201, 0]  # never more than 500
    assert len(set(appids)) == len(appids) == 1_201


def test_without_a_sort_pages_overlap():
    with sample.Store(sample.many(1_200)) as store:
        words = [{"query": {"start": start, "count": 400, "filters": GAMES_ONLY}} for start in (0, 400, 800)]
        found = {entry["appid"] for one in words for entry in ask(store, QUERY, **one)["ids"]}
    assert 600 < len(found) < 1_100


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        (1, lambda game: game.name.casefold()),
        (10, lambda game: -game.reviews),
        (21, lambda game: -game.score),
        (30, lambda game: -game.players),
        (40, lambda game: -game.release_date),
    ],
)
def test_sorts(shop, sort, key):
    known = {game.appid: game for game in shop.games}
    keys = [key(known[entry["appid"]]) for entry in query(shop, sort=sort)["ids"]]
    assert keys == sorted(keys)
    assert len(keys) == 159


def test_filters(shop):
    def names(**filters):
        return {item["name"] for item in query(shop, filters=filters)["store_items"]}

    everything = names()
    assert len(everything) == 162
    assert everything - names(released_only=True) == {"Alpenrune: The Next Face"}
    assert everything - names(type_filters={"include_games": True, "include_demos": True}) == {
        "Alpenrune: First Rope - Soundtrack"
    }
    assert everything - names(content_descriptors_excluded=[3, 4]) == {
        "Baxter Street: The Velvet Hour",
        "Baxter Street: Blackmail Blues",
    }
    chess = names(tagids_must_match=[{"tagids": [4184, 1]}, {"tagids": [1677]}])
    assert {name.split(":")[0] for name in chess} == {"Вечный гамбит"}
    assert names(tagids_exclude=[4184]) == everything - chess


def test_named_items(shop):
    appids = [90000040, 7, 8, 90000010]
    items = ask(shop, ITEMS, ids=[{"appid": appid} for appid in appids], data_request=EVERYTHING)["store_items"]
    assert [(item["appid"], item["success"]) for item in items] == [(90000040, 1), (7, 15), (90000010, 1)]
    assert ask(shop, ITEMS, ids=[{"appid": 8}]) == {}


def test_most_played_and_tags(shop, fictional):
    chart = ask(shop, PLAYED)
    assert [row["rank"] for row in chart["ranks"]] == list(range(1, 27))
    peaks = [row["peak_in_game"] for row in chart["ranks"]]
    assert peaks == sorted(peaks, reverse=True)
    assert isinstance(chart["rollup_date"], int)
    names = {tag["tagid"]: tag["name"] for tag in ask(shop, TAGS)["tags"]}
    assert names[4184] == "Chess"
    assert {tag for game in fictional.games for tag in game.tags} <= set(names.values())


def test_suggestions_and_games_like_one(shop):
    found = ask(shop, SUGGESTIONS, search_term="moonwyrm oath", max_results=5, data_request=EVERYTHING)
    assert [item["name"] for item in found["store_items"]] == [
        "Moonwyrm: Ember’s Oath",
        "Moonwyrm: Ember’s Oath – Definitive Edition",
    ]
    assert ask(shop, SUGGESTIONS, search_term=" ")["ids"] == []
    alike = ask(shop, ALIKE, item_id={"appid": 90000010}, count=7, filters=GAMES_ONLY, data_request=EVERYTHING)
    assert len(alike["ids"]) == 7
    assert {item["name"].split(":")[0] for item in alike["store_items"][:4]} == {"Alpenrune", "Highcairn"}
    assert get(shop, ALIKE, item_id={"appid": 7}).status_code == 400


def test_a_store_with_nothing_in_it_answers_legally():
    with sample.Store(sample.Stock([], lambda _: None)) as store:
        assert query(store)["metadata"]["total_matching_records"] == 0
        assert ask(store, PLAYED) == {}


@pytest.mark.parametrize(
    "text", ["{", "[1]", '{"ids": [{}]}', '{"query": 3}', '{"query": {"count": "many"}}', '{"ids": [620]}']
)
def test_a_bad_request(shop, text):
    path = ITEMS if "ids" in text else QUERY
    answer = requests.get(shop.api_url + path, params={"input_json": text}, timeout=10)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("text/html")


def test_what_is_not_there(shop, fictional):
    gone = get(shop, "/ISteamApps/GetAppList/v2/")
    assert gone.status_code == 404
    assert "Method 'GetAppList' not found in interface 'ISteamApps'" in gone.text
    game = fictional.games[1]
    for path in ("", "steam/apps/1/library_600x900.jpg", f"steam/apps/{game.appid}/library_600x900.jpg", "../"):
        assert requests.get(shop.assets_url + path, timeout=10).status_code == 404


def test_gzip_when_asked_on_one_connection(shop):
    connection = http.client.HTTPConnection(shop.api_url.removeprefix("http://"), timeout=10)
    bodies, sockets = [], set()
    for encoding in ("gzip, deflate", "identity"):
        connection.request("GET", TAGS, headers={"Accept-Encoding": encoding})
        sockets.add(connection.sock)
        answer = connection.getresponse()
        body = answer.read()
        bodies.append(gzip.decompress(body) if answer.headers["Content-Encoding"] == "gzip" else body)
        assert (answer.headers["Content-Encoding"] == "gzip") == (encoding != "identity")
    connection.close()
    assert bodies[0] == bodies[1]
    assert len(sockets) == 1


def test_the_log_and_the_silence(capfd):
    with sample.Store(sample.many(3)) as store:
        requests.get(f"{store.api_url}{TAGS}?language=english", headers={"User-Agent": "tester"}, timeout=10)
        with socket.create_connection(("127.0.0.1", int(store.api_url.rpartition(":")[2]))) as rude:
            rude.sendall(b"GET /store_item_assets/ HT")
        query(store)
        assert store.requests[0].target == f"{TAGS}?language=english"
        assert store.requests[0].agent == "tester"
        assert (store.count("GetTagList"), store.count('"count": 500'), store.count()) == (1, 1, 2)
    assert capfd.readouterr() == ("", "")


def test_close_ends_the_store_and_kept_connections():
    store = sample.Store(sample.many(3))
    with requests.Session() as session:
        session.get(store.api_url + TAGS, timeout=10)
        store.close()
        store.close()
        with pytest.raises(requests.ConnectionError):
            session.get(store.api_url + TAGS, timeout=10)


def test_only_loopback_and_a_port_of_choice():
    with sample.Store(sample.many(1)) as store:
        host, _, port = store.api_url.removeprefix("http://").partition(":")
        assert host == "127.0.0.1"
        with pytest.raises(OSError, match="in use"):
            sample.Store(sample.many(1), port=int(port))


def test_a_store_of_steams_size():
    with sample.Store(sample.many(110_000)) as store:
        page = query(store, start=109_990)
        game = store.games[54_321]
        assert page["metadata"]["total_matching_records"] == 110_000
        assert len(page["ids"]) == 10
        assert Image.open(io.BytesIO(picture(store, game).content)).size == (300, 450)


def test_pictures_of_the_big_store_belong_to_series():
    stock = sample.many(24)
    opened = (Image.open(io.BytesIO(stock.picture(game.appid))) for game in stock.games)
    pixels = [np.asarray(picture.resize((30, 45)), float) for picture in opened]
    apart = np.array([[np.abs(one - two).mean() for two in pixels] for one in pixels])
    same = np.array([[one.franchises == two.franchises for two in stock.games] for one in stock.games])
    assert apart[same & ~np.eye(24, dtype=bool)].min() > 1
    assert apart[same].max() < apart[~same].min()
