"""study: a whole comparison of networks and baselines, and what is kept of it."""

import re
from dataclasses import replace

import checkpoints
import numpy as np
import pandas as pd
import pytest
from hosts import refusal

import sample
import study
from study import alterations, baselines, figure, truth
from utils import banners, catalogue, features, matching
from utils.errors import MatchError

pytestmark = pytest.mark.slow

WAYS = ("pooled, squash, as they are", "pooled, squash, centred", "mean, squash, whitened 0.5")
NETWORKS = [f"tiny, {way} (untrained)" for way in WAYS]


@pytest.fixture(scope="module")
def ways(tmp_path_factory):
    """Three configurations of a network that was never trained."""
    folder = checkpoints.write(tmp_path_factory.mktemp("checkpoints") / "tiny", steam_banners_untrained=True)
    found = [study.Configuration(str(folder), preparation=how) for how in ("as they are", "centred")]
    return [*found, study.Configuration(str(folder), "mean")]


@pytest.fixture(scope="module")
def stocked(downloaded, tmp_path_factory):
    """The folder of the snapshots, the catalogue, and where the comparison keeps its features."""
    stock, folder = downloaded
    with sample.Store(stock) as store:
        games = catalogue.fetch_catalogue(api_url=store.api_url, assets_url=store.assets_url)
    return folder, games, tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module")
def result(ways, stocked):
    return study.compare(ways, *stocked, pictures=12)


def test_a_comparison_has_a_row_for_each_in_order_and_names_the_untrained(result):
    assert result.table.index.tolist() == ["chance", *baselines.BASELINES, *NETWORKS]
    assert result.table.drop(columns="cost", level=0).notna().all(axis=None)
    assert (result.table["cost", "banners/s"].dropna() > 0).tolist() == [True] * 3
    assert (result.table["cost", "M parameters"].iloc[-3:] > 0.01).all()
    assert result.about.startswith("240 games")
    assert result.networks.index.tolist() == [tuple(name.split(", ", 1)) for name in NETWORKS]
    row, numbers = result.networks.iloc[1], result.short.loc[NETWORKS[1]]
    assert row["plain recall@10"] == "{recall@10:.2f} ({low:.2f} to {high:.2f})".format(**numbers)
    assert re.fullmatch(r" *[\d,]+ a second", row["speed"])
    assert re.fullmatch(r"\d\.\d M", row["size"])
    recall, copies = result.short["recall@10"], result.short["copies accuracy@1"]  # each series has colours of its own
    assert recall["chance"] < 0.5 < 0.8 < recall["colour histogram, 64 bins"]
    assert copies["chance"] < 0.2 < 0.8 < copies["thumbnail, 8 x 12 pixels"]


def test_a_comparison_says_what_matching_says(result, ways, stocked):
    """One number by a second route: hit@1 in the franchises of the test half. The other half chooses the best."""
    _, games, out = stocked
    stored = features.load(out / "tiny--squash--pooled")
    first, _ = matching.nearest(matching.prepare(stored, "centred"), stored.appids, 1)
    series = games.set_index("appid")["franchises"].str[0]
    own = series[stored.appids].to_numpy()
    table = pd.DataFrame({"right": own == series[first[:, 0]].to_numpy(), "series": own})
    half = [query.appid for query in truth.half(truth.franchises(games), "test")]
    means = table[np.isin(stored.appids, half)].groupby("series")["right"].mean()
    assert result.table.loc[NETWORKS[1], ("franchises", "hit@1")] == pytest.approx(means.mean())
    best = result.table.loc[NETWORKS, ("development", "recall@10")].argmax()
    assert result.best == ways[best]


def test_a_comparison_reads_features_that_are_there_and_so_does_one_game_of_each_network(result, ways, stocked):
    out = stocked[2]
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*.np*")}
    again = study.compare([ways[1]], *stocked, pictures=12)
    tables = [each.table.drop(columns="cost", level=0).loc[NETWORKS[1]] for each in (again, result)]
    pd.testing.assert_series_equal(*tables)
    appid = int(stocked[1]["appid"].iloc[3])
    found = study.matches_by_network(ways, out, appid, 4)
    assert list(found) == NETWORKS
    expected = matching.nearest(matching.prepare(features.load(out / ways[2].folder)), [appid], 4)
    np.testing.assert_array_equal(found[NETWORKS[2]], [expected[0][0], expected[1][0]])
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*.np*")} == before


def test_altered_banners_are_kept_for_the_same_alone_and_made_again_where_they_are_damaged(stocked, tmp_path):
    album, pixels = banners.Album(stocked[0]), baselines.Pixels()
    shown = {"grey": list(album)[:3], "cut": []}
    expected = pixels([alterations.alter(album[appid].rgb, "grey") for appid in shown["grey"]])
    alterations.embed_altered(pixels, shown, album, tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for end in (None, -40, 0):
        file.write_bytes(whole[:end])
        found, _ = alterations.embed_altered(pixels, shown, album, tmp_path)
        np.testing.assert_array_equal(found["grey"], expected)
    alterations.embed_altered(pixels, shown | {"grey": list(album)[1:4]}, album, tmp_path)
    pixels.identity = pixels.identity | {"checkpoint": "another"}
    alterations.embed_altered(pixels, shown, album, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_the_figure_has_a_line_a_row_and_hollow_marks_for_the_untrained(result):
    table = result.table.rename(index={"chance": r"$\frac{$ of 1"})  # a name, and no formula
    drawn = figure.draw(replace(result, table=table))
    labels = [label.get_text().replace("\n", " ") for label in drawn.axes[0].get_yticklabels()]
    assert labels == table.index.tolist()
    assert "thumbnail, whitened, tiny" in drawn.alt
    faces = drawn.axes[0].collections[1].get_facecolors()
    assert [len(face) and face[3] > 0 for face in faces] == [not label.endswith("(untrained)") for label in labels]
    assert len(drawn.jpeg()) > 20_000


def test_without_halves_all_franchises_are_tested_and_games_that_share_nothing_are_refused_at_once(
    stocked, ways, tmp_path
):
    folder, games, _ = stocked
    alone = games.assign(franchises=[[] for _ in range(len(games))])
    assert "240 games" in refusal(MatchError, study.compare, ways, folder, alone, tmp_path)
    assert list(tmp_path.iterdir()) == []
    found = study.compare([], folder, games, tmp_path, pictures=4, halves=False)
    assert "; franchises: 240 of 240 queries, 30 groups; " in found.about
    assert found.best is None
    assert (found.by_query["plain hit@1"].str.fullmatch(r"[01]\.\d\d \([01]\.\d\d to [01]\.\d\d\)")).all()
