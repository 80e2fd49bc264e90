"""A list of games that changes while it is read, and pages that an interrupted run kept."""

import dataclasses
import gzip
import json
import os
import time

import pytest

import sample
from utils import catalogue

QUERY = "IStoreQueryService/Query"
LATER = rf'{QUERY}.*"start":[1-9]'  # every page but the first


def fetch(store, limit=None, **options):
    return catalogue.fetch_catalogue(limit, api_url=store.api_url, assets_url=store.assets_url, **options)


@pytest.mark.slow
def test_the_whole_of_steam_within_230_requests():
    with sample.Store(sample.many(110_000)) as store:
        games = fetch(store)
        assert len(games) == games["appid"].nunique() == 110_000
        assert store.count(QUERY) <= 230


@pytest.mark.parametrize(("games", "gone"), [(1_300, 100), (1_300, 40), (510, 40), (505, 15), (1_300, 700)])
def test_games_taken_off_the_list_while_paging_hide_no_other(games, gone):
    def take_off(store):
        store.games = store.games[gone:]

    with sample.Store(sample.many(games)) as store:
        store.trouble(LATER, take_off, times=1)
        found = fetch(store)
        assert set(found["appid"]) >= {game.appid for game in store.games}
    assert found["appid"].is_unique
    assert found.attrs["short"] == 0


def test_games_added_while_paging_are_not_doubled(store):
    def add(store):
        store.games = [dataclasses.replace(store.games[0], appid=5), *store.games]

    store.trouble(LATER, add, times=1)
    games = fetch(store)
    assert games["appid"].is_unique
    assert len(games) == 1_300 or 5 in games["appid"].tolist()


@pytest.mark.slow
def test_a_list_that_never_meets_itself_ends(store):
    def shuffle(store):
        store.games = store.games[700:] + store.games[:700]

    store.trouble(QUERY, shuffle)
    assert fetch(store)["appid"].is_unique
    assert store.count(QUERY) < 200


def test_a_page_without_ids_counts_by_its_items(store):
    store.trouble(QUERY, "no ids")
    assert len(fetch(store)) == 1_300


def test_a_list_without_totals_ends_where_no_games_come(store):
    store.trouble(QUERY, "no total")
    games = fetch(store)
    assert len(games) == 1_300


@pytest.mark.parametrize("times", [2, 7])
def test_empty_pages_in_the_middle_do_not_end_the_list(store, times):
    store.trouble(LATER, "empty", times=times)
    games = fetch(store)
    assert len(games) == 1_300
    assert games.attrs["short"] == 0


@pytest.mark.slow
def test_a_list_that_ends_early_says_by_how_much(store):
    store.trouble(LATER, "empty")
    games = fetch(store)
    assert len(games) == 500
    assert games.attrs["short"] == 800
    assert "the store listed 800 fewer than that; run again later" in catalogue.summary(games)


def test_a_total_that_grows_for_ever_ends(store):
    store.trouble(QUERY, "growing total")
    games = fetch(store)
    assert len(games) == 1_300
    assert games.attrs["short"] > 8_000
    assert store.count(QUERY) < 20


@pytest.mark.slow
def test_a_list_that_grows_for_ever_ends(store):
    fresh = iter(range(10**6, 10**8))

    def grow(answer):
        appids = [next(fresh) for _ in range(100)]
        answer["metadata"]["total_matching_records"] += 2_000
        answer["ids"] = [{"appid": appid} for appid in appids]
        answer["store_items"] = [{"appid": appid, "name": "More", "success": 1} for appid in appids]

    store.trouble(QUERY, sample.Edit(grow))
    games = fetch(store)
    assert games["appid"].is_unique
    assert store.count(QUERY) < 400


def test_a_list_whose_pages_overlap_is_read_again(store):
    """The first pass sees the same page twice; what it lacks comes with the second."""
    whole = store.games

    def repeat(store):
        is_first_pass = store.count(QUERY) <= 3
        store.games = (*whole[:500], *whole[:500], *whole[1_000:]) if is_first_pass else whole

    store.trouble(QUERY, repeat)
    games = fetch(store)
    assert len(games) == 1_300


# Kept pages


def interrupted(store, keep):
    """Break a crawl off after two pages."""
    store.trouble(QUERY, 500, skip=2)
    with pytest.raises(catalogue.StoreError):
        fetch(store, keep=keep)
    store.calm()
    store.requests.clear()
    return sorted(keep.iterdir())


def test_an_interrupted_crawl_goes_on_where_it_stopped(store, tmp_path):
    keep = tmp_path / "pages"
    assert len(interrupted(store, keep)) == 2
    assert len(fetch(store, keep=keep)) == 1_300
    assert store.count(QUERY) == 1
    assert not keep.exists()


def test_only_what_was_kept_is_removed(store, tmp_path):
    keep = tmp_path / "pages"
    interrupted(store, keep)
    others = [keep / "thesis.txt", keep / "page-notes.json.gz", keep / "sub" / "page-0123456789abcdef.json.gz"]
    for other in others:
        other.parent.mkdir(exist_ok=True)
        other.write_text("mine")
    fetch(store, keep=keep)
    assert [other.read_text() for other in others] == ["mine"] * 3
    assert sorted(each.name for each in keep.iterdir()) == ["page-notes.json.gz", "sub", "thesis.txt"]


@pytest.mark.parametrize("spoil", ["empty", "cut", "flipped", "no page", "list", "bomb", "future", "old"])
def test_a_kept_page_that_is_not_fresh_and_whole_is_asked_for_again(store, tmp_path, spoil):
    file = interrupted(store, tmp_path)[0]
    content = file.read_bytes()
    middle = len(content) // 2
    spoilt = {
        "empty": b"",
        "cut": content[:middle],
        "flipped": content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :],
        "no page": pack({}),
        "list": pack([1]),
        "bomb": gzip.compress(bytes(1 << 25)),
    }
    file.write_bytes(spoilt.get(spoil, content))
    moved = {"future": 3_600, "old": -25 * 3_600}.get(spoil, 0)
    os.utime(file, (time.time() + moved,) * 2)
    assert len(fetch(store, keep=tmp_path)) == 1_300
    assert store.count(QUERY) == 2


def test_kept_pages_of_another_store_or_request_are_not_taken(store, tmp_path):
    interrupted(store, tmp_path)
    with sample.Store(sample.many(700)) as other:
        assert len(fetch(other, keep=tmp_path)) == 700
    interrupted(store, tmp_path)
    newest = fetch(store, 20, order="newest", keep=tmp_path)
    assert newest["release_date"].is_monotonic_decreasing


def pack(answer):
    return gzip.compress(json.dumps(answer).encode())
