"""The study's figures but for the comparison's, looked at as pixels and text, and the odd banners that one shows."""

import numpy as np
import pandas as pd
import pytest
from downloads import fetch, jpeg, noise, update
from pages import assert_drawn_well, banner, boxes, lines, rows_of
from PIL import Image, ImageFilter

import sample
from study import figure, odd_banners
from utils import banners, matching
from utils.features import Features

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def album():
    return {appid: banner(appid) for appid in range(1, 20)}


def test_unique_tells_the_nearest_and_duplicates_keep_groups_together(album):
    drawn = figure.unique(album, pd.DataFrame({"appid": [3, 5], "cosine": [0.125, 0.5]}))
    assert lines(drawn) == ["Game 3", "0.12", "Game 5", "0.50"]
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


def test_map_puts_banners_where_they_lie_moves_them_aside_and_leaves_out_where_it_is_crowded(album):
    """A thousand games at one place: twenty-five fit near it, the last, in a cell's middle, first of all."""
    drawn = figure.scatter_map(album, np.array([1, 2, 3, 4]), np.array([[0, 0], [1, 0], [0, 1], [1, 1]]))
    assert rows_of(drawn, range(1, 5)) == [[3, 4], [1, 2]]  # upwards is up
    assert_drawn_well(drawn)
    places = np.concatenate([np.full((1000, 2), 0.5), [[0, 0], [1, 1]] * 10, [[11.5 / 22, 0.5]]])
    drawn = figure.scatter_map(album, np.concatenate([np.full(1000, 1), [2, 3] * 10, [4]]), places)
    assert boxes(drawn, range(1, 5)).keys() == {1, 2, 3, 4}
    assert "43 of 1,021 games" in lines(drawn)[-1]  # in a corner nine cells are near


FOUND = {  # issue -> the places of the games in `looked_at` that have it
    "dark": [2],
    "light": [3],
    "blurry": [4],
    "low information": [5],
    "grey": [5, 6],
    "odd ratio": [7],
    "exact duplicate": [0, 8],
    "near duplicate": [1, 9],
}


def rich(seed, patches=(36, 24)):
    """A picture with sharp edges, many tones and colours."""
    patches = np.random.default_rng(seed).integers(0, 256, (*patches, 3), "uint8")
    return Image.fromarray(patches).resize((600, 900), Image.Resampling.NEAREST)


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory):
    """What is found in a folder of a banner of each kind, and the folder."""
    folder = tmp_path_factory.mktemp("odd")
    kinds = [
        rich(0),
        rich(1),
        rich(2).point(lambda level: level // 8),  # dark
        rich(3).point(lambda level: 224 + level // 8),  # light
        rich(4, (6, 4)).filter(ImageFilter.GaussianBlur(25)),  # blurry
        noise((600, 900), 5).convert("1", dither=Image.Dither.NONE).convert("RGB"),  # two tones, grey
        rich(6).convert("L"),  # grey
        rich(7).resize((900, 600)),  # odd ratio
        rich(0),  # exactly the first
        rich(1).resize((590, 885)).resize((600, 900)),  # nearly the second
    ]
    with sample.Store(sample.many(len(kinds))) as store:
        for game, kind in zip(store.games, kinds, strict=True):
            store.pictures[game.appid] = jpeg(kind)
        games = fetch(store)
        assert update(store, folder, games).count("downloaded") == len(kinds)
    return odd_banners.find_issues(folder, games), folder


def test_each_issue_is_found_where_it_is_and_nowhere_else(looked_at):
    issues, folder = looked_at
    places = issues.assign(place=(issues["appid"] - 100_000_000) // 10)
    assert places.groupby("issue")["place"].agg(sorted).to_dict() == FOUND
    doubles = issues["issue"].str.contains("duplicate")
    assert (issues.loc[~doubles, "group"] == -1).all()
    assert issues[doubles].groupby(["issue", "group"]).size().tolist() == [2, 2]
    only = odd_banners.find_issues(folder, pd.DataFrame({"appid": [100_000_020]}))  # a catalogue of one game
    assert only["issue"].tolist() == ["dark"]


def test_the_figure_and_the_summary_have_a_row_for_each_kind(looked_at, tmp_path):
    issues, folder = looked_at
    summary = odd_banners.summary(issues)
    assert dict(zip(summary["issue"], summary["banners"], strict=True)) == {kind: len(FOUND[kind]) for kind in FOUND}
    drawn = odd_banners.figure(banners.Album(folder), issues)
    expected = [f"{kind} ({len(FOUND[kind])}): {meaning}" for kind, meaning in odd_banners.ISSUES.items()]
    assert [line for line in lines(drawn) if ":" in line] == expected
    assert "2 grey" in drawn.alt
    assert_drawn_well(drawn)
    none = odd_banners.find_issues(tmp_path, pd.DataFrame({"appid": [10]}))
    assert odd_banners.summary(none)["banners"].sum() == 0
    assert lines(odd_banners.figure({}, none)) == ["Nothing stands out in any banner."]


def test_a_spreadsheet_runs_no_name(tmp_path):
    names = ["=1+1", "+1", "-1", "@a", "\t=1", "Ōkami"]
    issues = pd.DataFrame({"appid": range(6), "name": names, "issue": "dark", "value": 0.1, "group": -1})
    again = pd.read_csv(odd_banners.save_csv(issues, tmp_path / "issues.csv"), encoding="utf-8-sig")
    assert again["name"].tolist() == [*(f"'{name}" for name in names[:5]), "Ōkami"]
