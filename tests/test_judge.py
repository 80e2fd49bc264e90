"""judge: a whole comparison, several eyes, thresholds, and heat maps judged from outside."""

import json
import re

import checkpoints
import numpy as np
import pandas as pd
import pytest
import torch

import sample
import study
from study.views import altered_views
from utils import banners, catalogue, encoder, explain, features, matching

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
    ways.append(study.Configuration(untrained, "mean@2"))
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
        "tiny, mean@2, squash, whitened 0.5 (untrained)",
    ]
    assert found.table.columns.get_level_values(0).unique().tolist() == [
        "development",
        "franchises",
        "collapsed",
        "mirrored",
        "cut",
        "hue",
        "grey",
        "developers",
        "copies",
        "shown",
        "cost",
    ]
    assert found.table.drop(columns="cost", level=0).notna().all(axis=None)
    assert (found.table["cost", "banners/s"].dropna() > 0).tolist() == [True] * 3
    assert (found.table["cost", "M parameters"].iloc[-3:] > 0.01).all()
    assert re.match(r"240 games, \d+ distinct; development: (\d+) of \1 queries, \d+ groups; franchises: ", found.about)
    assert found.short.columns[:3].tolist() == ["recall@10", "low", "high"]


def test_the_table_of_eyes_has_what_each_finds_its_speed_and_its_size(result):
    found, _ = result
    assert found.eyes.index.tolist() == [
        ("tiny", "pooled, squash, as they are (untrained)"),
        ("tiny", "pooled, squash, centred (untrained)"),
        ("tiny", "mean@2, squash, whitened 0.5 (untrained)"),
    ]
    row = found.eyes.iloc[1]
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
    half = {query.appid for query in study.half(study.franchises(games), "test")}
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
    first = altered_views(study.Pixels(), study.Pixels.identity, shown, album, tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    asked = []

    def describe(pictures):
        asked.append(len(pictures))
        return study.Pixels()(pictures)

    again = altered_views(describe, study.Pixels.identity, shown, album, tmp_path)
    assert asked == ([] if damage(b"whole") == b"whole" else [3])
    assert list(again.vectors) == ["grey"]
    np.testing.assert_array_equal(again.vectors["grey"], first.vectors["grey"])
    expected = study.Pixels()([study.alter(album[appid].rgb, "grey") for appid in shown["grey"]])
    np.testing.assert_array_equal(first.vectors["grey"], expected)
    other = study.Pixels.identity | {"checkpoint": "another"}
    altered_views(describe, other, shown, album, tmp_path)
    altered_views(describe, study.Pixels.identity, {"grey": list(album)[1:4]}, album, tmp_path)
    assert asked[-2:] == [3, 3]


def test_the_figure_has_a_line_a_row_and_hollow_marks_for_the_untrained(result):
    found, _ = result
    page = study.figure(found)
    labels = [label.get_text().replace("\n", " ") for label in page.axes[0].get_yticklabels()]
    assert labels == found.table.index.tolist()
    assert "thumbnail, whitened, tiny" in page.alt
    faces = page.axes[0].collections[1].get_facecolors()
    assert [len(face) and face[3] > 0 for face in faces] == [not label.endswith("(untrained)") for label in labels]
    assert len(page.jpeg()) > 20_000


def test_without_franchises_there_is_no_best(stocked, untrained, tmp_path):
    folder, games = stocked
    games = games.assign(franchises=[[] for _ in range(len(games))])
    found = study.compare([study.Configuration(untrained)], folder, games, tmp_path, pictures=2)
    assert found.best is None
    assert found.table[("franchises", "recall@10")].isna().all()
    study.figure(found).jpeg()


def test_without_halves_all_franchises_are_tested(stocked, tmp_path):
    found = study.compare([], *stocked, tmp_path, pictures=4, halves=False)
    assert "; franchises: 240 of 240 queries, 30 groups; " in found.about
    assert found.best is None
    assert (found.sight["plain hit@1"].str.fullmatch(r"[01]\.\d\d \([01]\.\d\d to [01]\.\d\d\)")).all()


def test_one_game_is_matched_by_each_eye(result, stocked, untrained):
    out = result[1]
    ways = [study.Configuration(untrained), study.Configuration(untrained, "mean@2", preparation="centred")]
    appid = int(stocked[1]["appid"].iloc[3])
    found = study.matches_by_eye(ways, out, appid, 4)
    assert list(found) == [f"{way} (untrained)" for way in ways]
    expected = matching.nearest(matching.prepare(features.load(out / ways[1].folder), "centred"), [appid], 4)
    np.testing.assert_array_equal(found[f"{ways[1]} (untrained)"], [expected[0][0], expected[1][0]])


@pytest.fixture(scope="module")
def looked(stocked, untrained, result):
    """An eye, its prepared features and the album."""
    eye = encoder.load(untrained, dtype="float32")
    stored = features.extract(stocked[0], eye, result[1] / "float32")
    return eye, matching.prepare(stored, "centred"), banners.Album(stocked[0])


def test_the_threshold_of_near_duplicates_is_that_of_light_copies(looked):
    eye, games, album = looked
    threshold = study.duplicate_threshold(eye, games, album, pictures=8)
    assert 0 < threshold < 1
    appids = np.random.default_rng(0).permutation(games.appids)[:8]
    kept = []
    for name in ("JPEG", "badge"):
        for appid in appids:
            copy = eye([study.alter(album[appid].rgb, name)]).numpy()
            found, cosines = matching.nearest(games, copy, len(games))
            kept.append(cosines[0, found[0] == appid][0] >= threshold - 1e-6)
    assert np.mean(kept) == pytest.approx(0.9, abs=0.04)


def test_the_deletion_test_tells_a_map_that_points_from_one_that_does_not(looked):
    """An outside eye that sees one corner alone: hiding that corner is all that lowers its cosine."""
    eye, games, album = looked

    class Explanation:
        """Stands for a map: the first tenth of the patches, counted from where `first` says."""

        def __init__(self, first):
            self.first = first

        def hottest(self, _share):
            row, column = np.divmod(np.arange(256), 16)
            boxes = np.stack([16 * column, 24 * row, 16 * column + 16, 24 * row + 24], axis=1)
            return np.roll(boxes, -self.first, axis=0)

    def corner(pictures):
        return torch.from_numpy(np.stack([picture[:48:8, :128:8].ravel() for picture in pictures])).float()

    found = {}
    for first in (0, 200):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(explain, "why", lambda *_, first=first: Explanation(first))
            found[first] = study.deletion(eye, games, album, corner, pairs=10)
    assert found[0].ratio > 3
    assert found[200].ratio == pytest.approx(0, abs=0.01)


def test_the_deletion_test_runs_on_an_eyes_own_maps(looked):
    eye, games, album = looked
    found = study.deletion(eye, games, album, study.Pixels(), pairs=10)
    low, high = found.interval()
    assert low <= found.ratio <= high
    assert re.fullmatch(r"x-?\d\.\d\d \(x-?\d\.\d\d to x-?\d\.\d\d, 10 pairs\)", str(found))
