"""The study's figures, looked at as pixels and text; that of a comparison is in test_study.py."""

import numpy as np
import pandas as pd
import pytest
from pages import assert_drawn_well, banner, boxes, lines, rows_of

from study import figure
from utils import matching
from utils.features import Features


@pytest.fixture(scope="module")
def album():
    return {appid: banner(appid) for appid in range(1, 20)}


def test_unique_tells_the_nearest(album):
    drawn = figure.unique(album, pd.DataFrame({"appid": [3, 5], "cosine": [0.125, 0.5]}))
    assert lines(drawn) == ["Game 3", "0.12", "Game 5", "0.50"]


def test_duplicates_keep_groups_together(album):
    drawn = figure.duplicates(album, [[1, 2, 3, 4, 5], [6, 7], [8], [9, 10, 11]])
    assert rows_of(drawn, range(1, 20)) == [[1, 2, 3, 4], [6, 7, 8], [9, 10, 11]]
    assert "+1" in lines(drawn)
    for each in (drawn, figure.duplicates(album, [])):
        assert_drawn_well(each)


def test_side_by_side_has_a_row_or_a_sentence_for_each(album):
    found = {"one": ([2, 3, 4], [0.9, 0.8, 0.7]), "two": "It has no such games.", "three": ([5], [0.1])}
    drawn = figure.side_by_side(album, 1, found)
    assert rows_of(drawn, range(2, 6)) == [[2, 3, 4], [5]]
    assert {"one", "two", "It has no such games.", "three", "0.10"} <= set(lines(drawn))
    assert_drawn_well(drawn)


def test_alike_takes_what_the_store_says_of_the_games_here(album):
    appids = np.arange(1, 20)
    vectors = np.random.default_rng(0).normal(size=(19, 8)).astype(np.float16)
    prepared = matching.prepare(Features(appids, appids.astype(str), vectors, {"fingerprint": "made up"}), "centred")
    near = ([2, 3], [0.9, 0.8])
    drawn = figure.alike(album, prepared, 1, near, [7, 424242, 5, 9])
    assert rows_of(drawn, range(2, 20)) == [[2, 3], [7, 5]]
    assert f"{prepared.vectors[0] @ prepared.vectors[6]:.2f}" in lines(drawn)
    assert "The store names no game that is here." in lines(figure.alike(album, prepared, 1, near, [424242]))


def test_map_puts_banners_where_they_lie(album):
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    drawn = figure.scatter_map(album, np.array([1, 2, 3, 4]), corners)
    assert rows_of(drawn, range(1, 5)) == [[3, 4], [1, 2]]  # upwards is up
    assert_drawn_well(drawn)


def test_map_moves_banners_aside_and_leaves_out_where_it_is_crowded(album):
    """A thousand games at one place: twenty-five fit near it, the last, in a cell's middle, first of all."""
    places = np.concatenate([np.full((1000, 2), 0.5), [[0, 0], [1, 1]] * 10, [[11.5 / 22, 0.5]]])
    appids = np.concatenate([np.full(1000, 1), [2, 3] * 10, [4]])
    drawn = figure.scatter_map(album, appids, places)
    assert boxes(drawn, range(1, 5)).keys() == {1, 2, 3, 4}
    assert "43 of 1,021 games" in lines(drawn)[-1]  # in a corner nine cells are near
