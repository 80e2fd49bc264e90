"""What a look at all banners finds: each kind of issue, on banners that have it and on banners that have not."""

import numpy as np
import pandas as pd
import pytest
from downloads import fetch, jpeg, noise, update
from pages import assert_drawn_well, lines
from PIL import Image, ImageFilter

import sample
from study import odd_banners
from utils import banners

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


def test_the_figure_and_the_summary_have_a_row_for_each_kind(looked_at):
    issues, folder = looked_at
    summary = odd_banners.summary(issues)
    assert dict(zip(summary["issue"], summary["banners"], strict=True)) == {kind: len(FOUND[kind]) for kind in FOUND}
    figure = odd_banners.figure(banners.Album(folder), issues)
    expected = [f"{kind} ({len(FOUND[kind])}): {meaning}" for kind, meaning in odd_banners.ISSUES.items()]
    assert [line for line in lines(figure) if ":" in line] == expected
    assert "2 grey" in figure.alt
    assert_drawn_well(figure)


def test_a_folder_without_banners_has_no_issues(tmp_path):
    found = odd_banners.find_issues(tmp_path, pd.DataFrame({"appid": [10]}))
    assert odd_banners.summary(found)["banners"].sum() == 0
    assert lines(odd_banners.figure({}, found)) == ["Nothing stands out in any banner."]


def test_a_spreadsheet_runs_no_name(tmp_path):
    names = ["=1+1", "+1", "-1", "@a", "\t=1", "Ōkami"]
    issues = pd.DataFrame({"appid": range(6), "name": names, "issue": "dark", "value": 0.1, "group": -1})
    again = pd.read_csv(odd_banners.save_csv(issues, tmp_path / "issues.csv"), encoding="utf-8-sig")
    assert again["name"].tolist() == [*(f"'{name}" for name in names[:5]), "Ōkami"]
