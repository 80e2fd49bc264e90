"""study: a whole comparison of networks and baselines, and what is kept of it."""

import json
import re

import checkpoints
import numpy as np
import pandas as pd
import pytest

import sample
import study
from study import alterations, baselines, figure, truth
from study.embeddings import embed_altered
from utils import banners, catalogue, features, matching
from utils.errors import MatchError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    folder = checkpoints.write(tmp_path_factory.mktemp("checkpoints") / "tiny")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"steam_banners_untrained": True}))
    return str(folder)


@pytest.fixture(scope="module")
def stocked(downloaded):
    """The folder of the snapshots and the catalogue."""
    stock, folder = downloaded
    with sample.Store(stock) as store:
        return folder, catalogue.fetch_catalogue(api_url=store.api_url, assets_url=store.assets_url)


@pytest.fixture(scope="module")
def result(stocked, untrained, tmp_path_factory):
    ways = [study.Configuration(untrained, preparation=how) for how in ("as they are", "centred")]
    ways.append(study.Configuration(untrained, "mean"))
    out = tmp_path_factory.mktemp("features")
    return study.compare(ways, *stocked, out, pictures=12), out


def test_a_comparison_has_a_row_for_each_and_names_the_untrained(result):
    found, _ = result
    assert found.table.index.tolist() == [
        "chance",
        "colour histogram, 64 bins",
        "perceptual hash, 64 bits",
        "thumbnail, 8 x 12 pixels",
        "thumbnail, whitened",
        "tiny, pooled, squash, as they are (untrained)",
        "tiny, pooled, squash, centred (untrained)",
        "tiny, mean, squash, whitened 0.5 (untrained)",
    ]
    assert found.table.drop(columns="cost", level=0).notna().all(axis=None)
    assert (found.table["cost", "banners/s"].dropna() > 0).tolist() == [True] * 3
    assert (found.table["cost", "M parameters"].iloc[-3:] > 0.01).all()
    assert found.about.startswith("240 games")


def test_the_table_of_networks_has_what_each_finds_its_speed_and_its_size(result):
    found, _ = result
    assert found.networks.index.tolist() == [
        ("tiny", "pooled, squash, as they are (untrained)"),
        ("tiny", "pooled, squash, centred (untrained)"),
        ("tiny", "mean, squash, whitened 0.5 (untrained)"),
    ]
    row = found.networks.iloc[1]
    low, high = (found.short.iloc[6][end] for end in ("low", "high"))
    assert row["plain recall@10"] == f"{found.short.iloc[6]['recall@10']:.2f} ({low:.2f} to {high:.2f})"
    assert re.fullmatch(r" *[\d,]+ a second", row["speed"])
    assert re.fullmatch(r"\d\.\d M", row["size"])


def test_a_comparison_orders_chance_and_colours_as_it_must(result):
    """Each series of these made-up games has colours of its own, and neither hides from a histogram nor a mirror."""
    short = result[0].short
    assert short.loc["chance", "recall@10"] < 0.5 < 0.8 < short.loc["colour histogram, 64 bins", "recall@10"]
    assert (
        short.loc["chance", "copies accuracy@1"]
        < 0.2
        < 0.8
        < short.loc["thumbnail, 8 x 12 pixels", "copies accuracy@1"]
    )


def test_a_comparison_says_what_matching_says(result, stocked):
    """One number by a second route: hit@1 in the franchises of the test half."""
    (found, out), (_, games) = result, stocked
    stored = features.load(out / "tiny--squash--pooled")
    first, _ = matching.nearest(matching.prepare(stored, "centred"), stored.appids, 1)
    series = games.set_index("appid")["franchises"].str[0]
    right = series[stored.appids].to_numpy() == series[first[:, 0]].to_numpy()
    half = {query.appid for query in truth.half(truth.franchises(games), "test")}
    table = pd.DataFrame({"right": right, "series": series[stored.appids].to_numpy()})
    means = table[np.isin(stored.appids, list(half))].groupby("series")["right"].mean()
    row = "tiny, pooled, squash, centred (untrained)"
    assert found.table.loc[row, ("franchises", "hit@1")] == pytest.approx(means.mean())


def test_the_best_is_chosen_by_the_development_half(result):
    found, _ = result
    recall = found.table[("development", "recall@10")].iloc[5:]
    chosen = study.Configuration(found.best.checkpoint, found.best.pooling, preparation=found.best.preparation)
    assert found.best == chosen
    assert f"{chosen.pooling}, squash, {chosen.preparation}" in recall.idxmax()


def test_a_comparison_reads_features_that_are_there(result, stocked, untrained):
    _, out = result
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*.npy")}
    again = study.compare([study.Configuration(untrained, preparation="centred")], *stocked, out, pictures=12)
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*.npy")} == before
    row = "tiny, pooled, squash, centred (untrained)"
    table = again.table.drop(columns="cost", level=0)
    pd.testing.assert_series_equal(table.loc[row], result[0].table.drop(columns="cost", level=0).loc[row])


@pytest.mark.parametrize(
    "damage", [lambda content: content, lambda content: content[:-40], lambda content: content[:0]]
)
def test_altered_banners_are_described_once_unless_what_was_kept_is_damaged(stocked, tmp_path, damage):
    album = banners.Album(stocked[0])
    shown = {"grey": list(album)[:3], "cut": []}
    first = embed_altered(baselines.Pixels(), shown, album, tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    asked = []

    class Counting(baselines.Pixels):
        def __call__(self, pictures):
            asked.append(len(pictures))
            return super().__call__(pictures)

    counting = Counting()
    again = embed_altered(counting, shown, album, tmp_path)
    assert asked == ([] if damage(b"whole") == b"whole" else [3])
    np.testing.assert_array_equal(again.vectors["grey"], first.vectors["grey"])
    expected = baselines.Pixels()([alterations.alter(album[appid].rgb, "grey") for appid in shown["grey"]])
    np.testing.assert_array_equal(first.vectors["grey"], expected)
    embed_altered(counting, {"grey": list(album)[1:4]}, album, tmp_path)
    counting.identity = counting.identity | {"checkpoint": "another"}
    embed_altered(counting, shown, album, tmp_path)
    assert asked[-2:] == [3, 3]


def test_the_figure_has_a_line_a_row_and_hollow_marks_for_the_untrained(result):
    found, _ = result
    page = figure.draw(found)
    labels = [label.get_text().replace("\n", " ") for label in page.axes[0].get_yticklabels()]
    assert labels == found.table.index.tolist()
    assert "thumbnail, whitened, tiny" in page.alt
    faces = page.axes[0].collections[1].get_facecolors()
    assert [len(face) and face[3] > 0 for face in faces] == [not label.endswith("(untrained)") for label in labels]
    assert len(page.jpeg()) > 20_000


def test_games_that_share_nothing_are_refused_before_anything_is_computed(stocked, untrained, tmp_path):
    folder, games = stocked
    alone = games.assign(franchises=[[] for _ in range(len(games))])
    with pytest.raises(MatchError) as error:
        study.compare([study.Configuration(untrained)], folder, alone, tmp_path)
    assert "240 games" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_without_halves_all_franchises_are_tested(stocked, tmp_path):
    found = study.compare([], *stocked, tmp_path, pictures=4, halves=False)
    assert "; franchises: 240 of 240 queries, 30 groups; " in found.about
    assert found.best is None
    assert (found.by_query["plain hit@1"].str.fullmatch(r"[01]\.\d\d \([01]\.\d\d to [01]\.\d\d\)")).all()


def test_one_game_is_matched_by_each_network(result, stocked, untrained):
    out = result[1]
    ways = [study.Configuration(untrained), study.Configuration(untrained, "mean", preparation="centred")]
    appid = int(stocked[1]["appid"].iloc[3])
    found = study.matches_by_network(ways, out, appid, 4)
    assert list(found) == [f"{way} (untrained)" for way in ways]
    expected = matching.nearest(matching.prepare(features.load(out / ways[1].folder), "centred"), [appid], 4)
    np.testing.assert_array_equal(found[f"{ways[1]} (untrained)"], [expected[0][0], expected[1][0]])
