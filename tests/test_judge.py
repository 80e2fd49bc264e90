"""judge: the truths, each metric by a second route, the baselines, and a whole comparison."""

import json
import math
import re
from pathlib import Path

import checkpoints
import imagehash
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import sample
from utils import catalogue, features, judge, matching, snapshot

COVERS = Path(__file__).parents[2] / "shared" / "real-covers"


def games(*rows):
    """A catalogue of (appid, franchises, developers, publishers)."""
    return pd.DataFrame(rows, columns=["appid", "franchises", "developers", "publishers"])


# ---------------------------------------------------------------------------------------------------- ground truth


def test_games_of_one_franchise_belong_together_however_it_is_spelt():
    queries = judge.franchises(games((1, ["Half-Life"], [], []), (2, ["HALF LIFE "], [], []), (3, ["Portal"], [], [])))
    assert queries == [judge.Query(1, "halflife", frozenset({2})), judge.Query(2, "halflife", frozenset({1}))]


def test_a_query_counts_for_the_smallest_of_its_franchises():
    rows = (1, ["Tom", "Siege"], [], []), (2, ["Tom", "Siege", "Alone"], [], []), (3, ["Tom"], [], [])
    found = {query.appid: query for query in judge.franchises(games(*rows))}
    assert (found[1].group, found[1].relevant) == ("siege", {2, 3})
    assert found[2].group == "siege"
    assert (found[3].group, found[3].relevant) == ("tom", {1, 2})


def test_franchises_that_name_a_publisher_are_dropped():
    house = [(appid, ["Sega"], ["A"], ["SEGA"]) for appid in range(2)]
    studios = [(appid, ["Studios"], [f"Team {appid}"], []) for appid in range(10, 15)]
    large = [(appid, ["Everything"], ["One"], []) for appid in range(100, 151)]
    series = [(appid, ["Long series"], [f"Team {appid % 5}"], []) for appid in range(200, 211)]
    kept = judge.franchises(games(*house, *studios, *large, *series))
    assert {query.group for query in kept} == {"longseries"}
    assert {query.group for query in judge.franchises(games(*studios[:4], *large[:50]))} == {"studios", "everything"}


def test_developers_count_only_across_franchises():
    rows = (1, ["X"], ["Dev"], []), (2, ["X"], ["dev "], []), (3, ["Y"], ["DEV"], []), (4, [], ["Dev"], [])
    queries = judge.developers(games(*rows))
    assert queries == [
        judge.Query(1, "dev", frozenset({3}), frozenset({2})),
        judge.Query(2, "dev", frozenset({3}), frozenset({1})),
        judge.Query(3, "dev", frozenset({1, 2}), frozenset()),
    ]


def test_queries_among_some_games_keep_what_can_be_found():
    queries = [judge.Query(1, "a", frozenset({2, 3})), judge.Query(4, "b", frozenset({5})), judge.Query(6, "c", {1})]
    assert judge.among(queries, [1, 2, 4]) == [judge.Query(1, "a", frozenset({2}))]


def test_the_halves_part_the_groups():
    queries = [judge.Query(appid, f"group {appid // 3}", frozenset({0})) for appid in range(300)]
    one, other = judge.half(queries, "development"), judge.half(queries, "test")
    assert sorted(one + other) == queries
    assert not {query.group for query in one} & {query.group for query in other}
    assert 30 < len({query.group for query in one}) < 70


# --------------------------------------------------------------------------------------------------------- metrics


def test_metrics_of_a_ranking_worked_by_hand():
    relevant = frozenset({1, 2, 3})
    table = judge.scores([[9, 1, 8, 2]], [judge.Query(0, "a", relevant)])
    gain = 1 / math.log2(3) + 1 / math.log2(5)
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    expected = [2 / 3, 0, (1 / 2 + 2 / 4) / 3, gain / ideal]
    np.testing.assert_allclose(table[list(judge.METRICS)].iloc[0].astype(float), expected, rtol=1e-6)
    assert table["group"].tolist() == ["a"]


def by_hand(hits, relevant):
    """recall@10, hit@1, mAP@10 and nDCG@10 from their definitions."""
    count = min(10, relevant)
    precisions = [sum(hits[: at + 1]) / (at + 1) for at, hit in enumerate(hits) if hit]
    gain = sum(1 / math.log2(at + 2) for at, hit in enumerate(hits) if hit)
    ideal = sum(1 / math.log2(at + 2) for at in range(count))
    return sum(hits) / count, float(hits[0]), sum(precisions) / count, gain / ideal


@pytest.mark.parametrize("relevant", [1, 4, 10, 30])
def test_metrics_agree_with_their_definitions(relevant):
    rng = np.random.default_rng(relevant)
    for _ in range(20):
        found = rng.permutation(60)[:10]
        hits = [bool(appid < relevant) for appid in found]
        query = judge.Query(99, "a", frozenset(range(relevant)))
        row = judge.scores([found.tolist()], [query])[list(judge.METRICS)].iloc[0]
        np.testing.assert_allclose(row.astype(float), by_hand(hits, relevant), rtol=1e-6, atol=1e-9)


def test_averages_are_over_groups_with_a_bootstrap_interval():
    rows = [("a", 1.0)] * 8 + [("b", 0.0)] + [("c", 0.5), ("c", 0.0)]
    table = pd.DataFrame(rows, columns=["group", "recall@10"]).assign(**dict.fromkeys(judge.METRICS[1:], 0.5))
    found = judge.averages(table)
    assert found["recall@10"] == pytest.approx((1 + 0 + 0.25) / 3)
    assert (found["low"], found["high"]) == (0, 1)  # one of 27 draws is b three times, and one is a
    assert found["hit@1"] == 0.5
    assert np.isnan(list(judge.averages(table[:0]).values())).all()


def test_micro_average_precision_counts_what_was_not_found():
    rng = np.random.default_rng(0)
    for positives in (10, 25):
        hits, cosines = rng.random((10, 11)) < 0.08, rng.uniform(-1, 1, (10, 11))
        order = np.argsort(-cosines.ravel())
        right = hits.ravel()[order]
        expected = sum(right[: at + 1].sum() / (at + 1) for at in np.flatnonzero(right)) / positives
        assert judge.micro_average_precision(hits, cosines, positives) == pytest.approx(expected, rel=1e-6)
    assert judge.micro_average_precision(np.zeros((2, 2), bool), np.ones((2, 2)), 4) == 0


def featured(vectors):
    vectors = np.asarray(vectors, np.float16)
    appids = np.arange(len(vectors)) + 1
    return features.Features(appids, appids.astype(str).astype(object), vectors, {"preparation": "as they are"})


def test_hubness_counts_how_often_each_game_is_shown(monkeypatch):
    vectors = (1 + 0.2 * np.random.default_rng(0).normal(size=(80, 3))).astype(np.float16)
    vectors[7] = -3  # nobody's neighbour
    found = judge.hubness(matching.prepare(featured(vectors), "as they are"))
    unit = vectors.astype(float) / np.linalg.norm(vectors.astype(float), axis=1, keepdims=True)
    nearest = np.argsort(-(unit @ unit.T), axis=1)[:, 1:11]
    shown = np.array([(nearest == game).sum() for game in range(80)])
    assert found["never"] == (shown == 0).mean() >= 1 / 80
    assert found["skew"] == pytest.approx(((shown - 10) ** 3).mean() / shown.std() ** 3)
    monkeypatch.setattr(judge, "HUB_GAMES", 11)
    assert judge.hubness(matching.prepare(featured(vectors), "as they are")) == {"never": 0, "skew": 0}  # all show all


def test_a_ranking_leaves_out_the_game_itself_and_what_is_ignored():
    angles = np.radians(np.arange(15) * 3.0)
    ready = matching.prepare(featured(np.stack([np.cos(angles), np.sin(angles)], 1)), "as they are")
    queries = [judge.Query(1, "a", frozenset({5}), frozenset({2, 3})), judge.Query(2, "a", frozenset({5}))]
    expected = [[4, 5, 6, 7, 8, 9, 10, 11, 12, 13], [1, 3, 4, 5, 6, 7, 8, 9, 10, 11]]
    assert judge.rank(ready, queries) == expected
    assert judge.rank(ready, queries, ready.vectors[:2]) == expected


# --------------------------------------------------------------------------------------- baselines and alterations


def test_baselines_look_at_what_they_say():
    rng = np.random.default_rng(0)
    noise = np.asarray(Image.fromarray(rng.integers(0, 256, (12, 8, 3), dtype=np.uint8)).resize((256, 384)))
    red = np.zeros((384, 256, 3), np.uint8) + np.array([255, 0, 70], np.uint8)
    found = judge.Pixels()([noise, red]).numpy()
    columns = {name.split(",")[0]: found[:, where] for name, (where, _) in judge.BASELINES.items()}
    assert np.flatnonzero(columns["colour histogram"][1]).tolist() == [3 * 16 + 0 * 4 + 1]
    np.testing.assert_allclose(np.linalg.norm(columns["colour histogram"], axis=1), 1, rtol=1e-6)
    small = Image.fromarray(noise).reduce(4)
    np.testing.assert_array_equal(columns["perceptual hash"][0] > 0, imagehash.phash(small).hash.ravel())
    thumbnail = np.asarray(small.resize((8, 12), Image.Resampling.BOX)).transpose(2, 0, 1)
    np.testing.assert_allclose(columns["thumbnail"][0], thumbnail.ravel(), atol=1)


@pytest.mark.parametrize("name", judge.ALTERATIONS)
def test_altered_copies_are_banners_that_changed(name):
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (24, 16, 3), dtype=np.uint8))
    rgb = np.asarray(small.resize((256, 384), Image.Resampling.BICUBIC))
    altered = judge.alter(rgb, name)
    assert (altered.shape, altered.dtype) == (rgb.shape, np.uint8)
    assert 1 < np.abs(altered.astype(int) - rgb).mean() < 80
    np.testing.assert_array_equal(altered, judge.alter(rgb, name))


# ------------------------------------------------------------------------------------------------------ comparison


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    folder = checkpoints.write(tmp_path_factory.mktemp("checkpoints") / "tiny")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"steam_banners_untrained": True}))
    return str(folder)


def downloaded(stock, folder):
    """A stock's banners and catalogue, by the same way as the store's."""
    with sample.Store(stock) as store:
        found = catalogue.fetch_catalogue(api_url=store.api_url, assets_url=store.assets_url)
        snapshot.update(found, folder, assets_url=store.assets_url)
    return folder, found


@pytest.fixture(scope="module")
def stocked(tmp_path_factory):
    return downloaded(sample.many(96), tmp_path_factory.mktemp("many"))


@pytest.fixture(scope="module")
def result(stocked, untrained, tmp_path_factory):
    ways = [judge.Configuration(untrained, preparation=how) for how in ("as they are", "centred")]
    out = tmp_path_factory.mktemp("features")
    return judge.compare([*ways, judge.Configuration(untrained, "mean@2")], *stocked, out, pictures=12), out


def test_a_comparison_has_a_row_for_each_and_names_the_untrained(result):
    found, _ = result
    assert found.table.index.tolist() == [
        "chance",
        "colour histogram, 64 bins",
        "perceptual hash, 64 bits",
        "thumbnail, 8 x 12 pixels",
        "tiny, pooled, squash, as they are (untrained)",
        "tiny, pooled, squash, centred (untrained)",
        "tiny, mean@2, squash, whitened 0.5 (untrained)",
    ]
    assert found.table.columns.get_level_values(0).unique().tolist() == [
        "development",
        "franchises",
        "collapsed",
        "mirrored",
        "developers",
        "copies",
        "shown",
    ]
    assert found.table.notna().all(axis=None)
    assert re.match(r"96 games, \d\d distinct; development: 64 of 64 queries, 8 groups; franchises: 32 ", found.about)
    assert found.short.columns[:3].tolist() == ["recall@10", "low", "high"]


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
    half = {query.appid for query in judge.half(judge.franchises(games), "test")}
    table = pd.DataFrame({"right": right, "series": series[stored.appids].to_numpy()})
    means = table[np.isin(stored.appids, list(half))].groupby("series")["right"].mean()
    row = "tiny, pooled, squash, centred (untrained)"
    assert found.table.loc[row, ("franchises", "hit@1")] == pytest.approx(means.mean())


def test_the_best_is_chosen_by_the_development_half(result):
    found, _ = result
    recall = found.table[("development", "recall@10")].iloc[4:]
    chosen = judge.Configuration(found.best.checkpoint, found.best.pooling, preparation=found.best.preparation)
    assert found.best == chosen
    assert f"{chosen.pooling}, squash, {chosen.preparation}" in recall.idxmax()


def test_a_comparison_reads_features_that_are_there(result, stocked, untrained):
    _, out = result
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*.npy")}
    again = judge.compare([judge.Configuration(untrained, preparation="centred")], *stocked, out, pictures=12)
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*.npy")} == before
    row = "tiny, pooled, squash, centred (untrained)"
    pd.testing.assert_series_equal(again.table.loc[row], result[0].table.loc[row])


def test_the_figure_has_a_line_a_row_and_hollow_marks_for_the_untrained(result):
    found, _ = result
    page = judge.figure(found)
    labels = [label.get_text().replace("\n", ", ") for label in page.axes[0].get_yticklabels()]
    assert labels == found.table.index.tolist()
    faces = page.axes[0].collections[1].get_facecolors()
    assert [len(face) and face[3] > 0 for face in faces] == [not label.endswith("(untrained)") for label in labels]
    assert len(page.jpeg()) > 20_000


def test_without_franchises_there_is_no_best(stocked, untrained, tmp_path):
    folder, games = stocked
    games = games.assign(franchises=[[] for _ in range(len(games))])
    found = judge.compare([judge.Configuration(untrained)], folder, games, tmp_path, pictures=2)
    assert found.best is None
    assert found.table[("franchises", "recall@10")].isna().all()
    judge.figure(found).jpeg()


@pytest.mark.skipif(not COVERS.is_dir(), reason="the real covers are not beside the repository")
def test_real_covers_give_the_numbers_of_the_readme(tmp_path):
    """Truth: the same title in another region. The baselines' numbers are those published; a tiny BEiT beats chance."""
    folder, games = downloaded(sample.folder(COVERS), tmp_path / "snapshots")
    tiny = judge.Configuration(str(sample.checkpoint(tmp_path / "tiny")))
    found = judge.compare([tiny], folder, games, tmp_path / "features", pictures=100)
    assert found.about.startswith(
        "339 games, 306 distinct; development: 85 of 85 queries, 36 groups; franchises: 87 of 87 "
    )
    published = {
        "colour histogram, 64 bins": (0.72, 0.61, 0.59),
        "perceptual hash, 64 bits": (0.73, 0.68, 0.60),
        "thumbnail, 8 x 12 pixels": (0.72, 0.64, 0.59),
    }
    for name, numbers in published.items():
        assert found.short.loc[name, ["recall@10", "hit@1", "collapsed"]].tolist() == pytest.approx(numbers, abs=0.03)
    untrained = found.short.loc[f"{tiny} (untrained)"]
    assert found.short.loc["chance", "hit@1"] < 0.1 < 0.3 < untrained["hit@1"] < 0.6
    assert untrained["copies accuracy@1"] > 0.6
