"""What several ways of looking find for one game: networks, or the banner and the store's tags."""

import dataclasses

import numpy as np
import pytest
from pages import assert_drawn_well, banner, boxes, lines

from utils import matching, show
from utils.features import Features


@pytest.fixture(scope="module")
def prepared(shop):
    """Features of nineteen games of the sample's shop."""
    appids = np.array(sorted(game.appid for game in shop.games)[:19])
    vectors = np.random.default_rng(0).normal(size=(19, 8)).astype(np.float16)
    return matching.prepare(Features(appids, appids.astype(str), vectors, {"fingerprint": "made up"}), "centred")


@pytest.fixture
def album(prepared):
    return {appid: banner(at, str(appid)) for at, appid in enumerate(prepared.appids.tolist(), 1)}


def near(prepared, query):
    appids, cosines = matching.nearest(prepared, [query], 4)
    return appids[0], cosines[0]


def test_alike_by_banner_stands_above_alike_by_tags(shop, prepared, album):
    query = int(prepared.appids[3])
    figure = show.alike(album, prepared, query, near(prepared, query), api_url=shop.api_url)
    text = lines(figure)
    by_tags = text[text.index("Alike by tags") :]
    shown = [int(line) for line in by_tags if line in map(str, album)][1:]
    tags = {game.appid: set(game.tags) for game in shop.games}
    shared = [len(tags[query] & tags[appid]) for appid in shown]
    assert len(shown) == 4
    assert query not in shown
    assert min(shared) > 0
    assert shared == sorted(shared, reverse=True)
    cosine = prepared.vectors[prepared.appids == shown[0]] @ prepared.vectors[3]
    assert f"{cosine[0]:.2f}" in by_tags
    assert_drawn_well(figure)


def test_a_store_that_does_not_answer_is_said_in_the_figure(prepared, album):
    query = int(prepared.appids[0])
    figure = show.alike(album, prepared, query, near(prepared, query), api_url="http://127.0.0.1:9")
    assert "127.0.0.1:9 cannot be reached" in " ".join(lines(figure))
    assert_drawn_well(figure)


def test_a_store_that_names_nothing_here_is_said_too(store, prepared, album):
    query = int(prepared.appids[0])
    store.games = [dataclasses.replace(store.games[0], appid=query)]
    figure = show.alike(album, prepared, query, near(prepared, query), api_url=store.api_url)
    assert "The store names no game that is here." in lines(figure)


@pytest.mark.slow
def test_several_networks_have_a_row_each():
    album = {appid: banner(appid) for appid in range(1, 8)}
    found = {"one": (np.array([2, 3]), np.array([0.5, 0.4])), "two": (np.array([4, 5, 6]), np.array([0.9, 0.8, 0.7]))}
    figure = show.eyes(album, 1, found)
    places = boxes(figure, range(1, 8))
    assert places.keys() == {1, 2, 3, 4, 5, 6}
    assert places[2][1] == places[3][1] < places[4][1] == places[5][1]
    assert_drawn_well(figure)
