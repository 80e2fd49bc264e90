"""Trouble in the sample store: every kind of bad answer, over real HTTP."""

import dataclasses
import socket
import time

import pytest
import requests
from store_client import (
    PLAYED,
    QUERY,
    TAGS,
    get,
    picture,
    query,
)

import sample


@pytest.fixture
def store():
    with sample.Store(sample.many(20)) as opened:
        yield opened


def test_statuses_and_how_often(store):
    store.trouble("Query", 429, times=2, skip=1, seconds=7)
    answers = [get(store, QUERY) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 429, 429, 200]
    assert answers[1].headers["Retry-After"] == "7"
    store.trouble("GetTagList", 500)
    store.trouble("GetMostPlayed", 403)
    assert [get(store, path).status_code for path in (TAGS, TAGS, PLAYED, QUERY)] == [500, 500, 403, 200]
    assert "Retry-After" not in get(store, TAGS).headers
    store.calm()
    assert get(store, TAGS).status_code == 200


def test_answers_that_are_none(store):
    store.trouble("Query", "html", times=1)
    store.trouble("Query", "empty", times=1)
    store.trouble("library", "empty")
    page = get(store, QUERY)
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")
    assert get(store, QUERY).json() == {"response": {}}
    assert picture(store, store.games[0]).content == b""


def test_connections_that_break(store):
    store.trouble("Query", "drop")
    with pytest.raises(requests.ConnectionError):
        get(store, QUERY)
    store.trouble("library", "truncated", times=1)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        picture(store, store.games[0])
    assert picture(store, store.games[0]).status_code == 200


def test_answers_that_take_their_time(store):
    store.trouble("Query", "slow", times=1, seconds=0.3)
    store.trouble("GetTagList", "drip", seconds=0.01)
    start = time.monotonic()
    get(store, QUERY)
    assert time.monotonic() - start >= 0.3
    start = time.monotonic()
    length = len(
        requests.get(store.api_url + TAGS, headers={"Accept-Encoding": "identity"}, stream=True, timeout=10).raw.read(
            30
        )
    )
    assert time.monotonic() - start >= 0.01 * (length - 5)


def test_the_store_may_change_in_the_middle_of_a_crawl(store):
    def take_off(one):
        one.games = one.games[3:]

    store.trouble('"start": 10', take_off, times=1)
    first, second = (query(store, wanted={}, start=start, count=10) for start in (0, 10))
    assert first["metadata"]["total_matching_records"] == 20
    assert second["metadata"]["total_matching_records"] == 17
    assert second["ids"][0]["appid"] == store.games[10].appid


def test_pictures_may_change(store):
    one, two, three = store.games[:3]
    store.pictures[one.appid] = b"not a picture"
    store.pictures[two.appid] = None
    assert picture(store, one).content == b"not a picture"
    assert picture(store, two).status_code == 404
    assert picture(store, three).status_code == 200
    store.games = [dataclasses.replace(three, banner="moved/library_capsule.jpg", updated=5), *store.games[3:]]
    assert picture(store, three).status_code == 404
    assert picture(store, store.games[0]).status_code == 200


def test_pages_that_do_not_add_up(store):
    store.trouble('"start": 0', "no ids")
    store.trouble('"start": 1', "no total")
    store.trouble('"start": [23]', "growing total")
    store.trouble('"start": 4', sample.Edit(lambda page: page["store_items"][0].update(tagids=None)))
    pages = [query(store, start=start, count=2) for start in range(5)]
    assert "ids" not in pages[0]
    assert "metadata" not in pages[1]
    assert [page["metadata"]["total_matching_records"] for page in pages[2:4]] == [10_002, 10_003]
    assert pages[4]["store_items"][0]["tagids"] is None


def test_a_bomb_unpacks_to_a_gigabyte(store):
    store.trouble("library|Query", "bomb")
    for answer in (get(store, QUERY, stream=True), picture(store, store.games[0], stream=True)):
        assert int(answer.headers["Content-Length"]) < 2_000_000
        assert len(next(answer.iter_content(1 << 20))) == 1 << 20
        answer.close()


def test_a_redirect_leads_where_it_is_told(store):
    store.trouble("library", "redirect", to=store.api_url + TAGS)
    answer = picture(store, store.games[0])
    assert answer.history[0].status_code == 302
    assert "tags" in answer.json()["response"]


def test_answers_without_end(store):
    store.trouble("library", "endless")
    answer = picture(store, store.games[0], stream=True)
    received = sum(len(some) for some, _ in zip(answer.iter_content(1 << 16), range(80), strict=False))
    answer.close()
    assert received > 4_000_000
    store.trouble("GetTagList", "drip headers", seconds=0.01)
    connection = socket.create_connection(("127.0.0.1", int(store.api_url.rpartition(":")[2])), timeout=10)
    connection.sendall(f"GET {TAGS} HTTP/1.1\r\nHost: store\r\n\r\n".encode())
    head = b""
    while head.count(b"X-Slow") < 3:
        head += connection.recv(100)
    connection.close()
    assert head.startswith(b"HTTP/1.1 200 OK\r\nX-Slow: yes\r\n")


def test_unknown_trouble(store):
    with pytest.raises(ValueError, match=r"'flood'.*'drip', .*'bomb', .*'no ids'"):
        store.trouble("Query", "flood")
