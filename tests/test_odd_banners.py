"""What a look at all banners finds: each kind of issue, on banners that have it and on banners that have not."""

import io

import numpy as np
import pandas as pd
import pytest
from downloads import fetch, jpeg, noise, update
from pages import assert_drawn_well, lines
from PIL import Image, ImageFilter

import sample
from study import odd_banners
from utils import banners


def rich(seed, patches=(36, 24)):
    """A picture with sharp edges, many tones and colours."""
    generator = np.random.default_rng(seed)
    patches = generator.integers(0, 256, (*patches, 3), "uint8")
    return Image.fromarray(patches).resize((600, 900), Image.Resampling.NEAREST)


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory):
    """What is found in a folder of a banner of each kind, and the folder."""
    folder = tmp_path_factory.mktemp("quality")
    kinds = [
        rich(0),
        rich(1),
        rich(2).point(lambda level: level // 8),  # dark
        rich(3).point(lambda level: 224 + level // 8),  # light
        rich(4, (6, 4)).filter(ImageFilter.GaussianBlur(25)),  # blurry
        noise((600, 900), 5).convert("1", dither=Image.Dither.NONE).convert("L").convert("RGB"),  # two tones, grey
        rich(6).convert("L"),  # grey
        rich(7).resize((900, 600)),  # odd ratio
        rich(0),  # exactly the first
        rich(1).resize((590, 885)).resize((600, 900)),  # nearly the second
    ]
    with sample.Store(sample.many(len(kinds))) as store:
        for game, kind in zip(store.games, kinds, strict=True):
            store.pictures[game.appid] = jpeg(kind)
        games = fetch(store)
        assert update(store, folder, games).downloaded == len(kinds)
    return odd_banners.find_issues(folder, games), folder


@pytest.fixture
def issues(looked_at):
    return looked_at[0]


def numbers(issues, issue):
    return sorted((issues.loc[issues["issue"] == issue, "appid"] - 100_000_000) // 10)


@pytest.mark.parametrize(
    ("issue", "games"),
    [
        ("dark", [2]),
        ("light", [3]),
        ("blurry", [4]),
        ("low information", [5]),
        ("grey", [5, 6]),
        ("odd ratio", [7]),
        ("exact duplicate", [0, 8]),
        ("near duplicate", [1, 9]),
    ],
)
def test_each_issue_is_found_where_it_is_and_nowhere_else(issues, issue, games):
    assert numbers(issues, issue) == games


def test_doubles_share_a_group_and_others_have_none(issues):
    doubles = issues["issue"].str.contains("duplicate")
    assert (issues.loc[~doubles, "group"] == -1).all()
    assert issues[doubles].groupby(["issue", "group"]).size().tolist() == [2, 2]


def test_the_summary_counts_and_explains_all(issues):
    summary = odd_banners.summary(issues).set_index("issue")
    assert summary.index.tolist() == list(odd_banners.ISSUES)
    assert summary.loc["grey", "banners"] == 2
    assert summary["meaning"].str.len().min() > 10


def test_the_figure_has_a_row_for_each_kind(looked_at):
    issues, folder = looked_at
    figure = odd_banners.figure(banners.Album(folder), issues)
    assert [line for line in lines(figure) if ":" in line] == [
        f"{issue} ({2 if issue in ('grey', 'exact duplicate', 'near duplicate') else 1}): {meaning}"
        for issue, meaning in odd_banners.ISSUES.items()
    ]
    assert "2 grey" in figure.alt
    assert_drawn_well(figure)


def test_only_the_games_of_the_catalogue_are_looked_at(looked_at):
    issues, folder = looked_at
    games = pd.DataFrame({"appid": issues.loc[issues["issue"] == "dark", "appid"]})
    assert odd_banners.find_issues(folder, games)["issue"].tolist() == ["dark"]


def test_a_folder_without_banners_has_no_issues(tmp_path):
    found = odd_banners.find_issues(tmp_path, pd.DataFrame({"appid": [10]}))
    assert found.empty
    assert odd_banners.summary(found)["banners"].sum() == 0
    assert lines(odd_banners.figure({}, found)) == ["Nothing stands out in any banner."]


def test_a_spreadsheet_runs_no_name(tmp_path):
    issues = pd.DataFrame({"appid": [1, 2], "name": ["=1+1", "Ōkami"], "issue": "dark", "value": 0.1, "group": -1})
    file = odd_banners.save_csv(issues, tmp_path / "issues.csv")
    again = pd.read_csv(io.BytesIO(file.read_bytes()), encoding="utf-8-sig")
    assert again["name"].tolist() == ["'=1+1", "Ōkami"]
