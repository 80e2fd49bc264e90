"""What a comparison is made of: which games belong together, altered banners, baselines and metrics.

Metrics are found by a second route: by their definition, or by torchmetrics.
"""

import imagehash
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchmetrics.functional import retrieval
from torchmetrics.functional.classification import binary_average_precision

from study import alterations, baselines, metrics, truth
from utils import matching
from utils.features import Features


def games(*rows):
    """A catalogue of (appid, franchises, developers, publishers)."""
    return pd.DataFrame(rows, columns=["appid", "franchises", "developers", "publishers"])


def test_games_of_one_franchise_belong_together_however_it_is_spelt_and_count_for_the_smallest_of_theirs():
    rows = (
        (1, ["Half-Life", "Siege"], [], []),
        (2, ["HALF LIFE ", "Siege", "Alone"], [], []),
        (3, ["half life"], [], []),
    )
    assert truth.franchises(games(*rows)) == [
        truth.Query(1, "siege", frozenset({2, 3})),
        truth.Query(2, "siege", frozenset({1, 3})),
        truth.Query(3, "halflife", frozenset({1, 2})),
    ]


def test_franchises_that_name_a_publisher_are_dropped():
    house = [(appid, ["Sega"], ["A"], ["SEGA"]) for appid in range(2)]
    studios = [(appid, ["Studios"], [f"Team {appid}"], []) for appid in range(10, 15)]
    large = [(appid, ["Everything"], ["One"], []) for appid in range(100, 151)]
    series = [(appid, ["Long series"], [f"Team {appid % 5}"], []) for appid in range(200, 211)]
    hands = [(appid, ["Many hands"], [f"Team {appid % 5}"], []) for appid in range(300, 310)]
    kept = truth.franchises(games(*house, *studios, *large, *series, *hands))
    assert {query.group for query in kept} == {"longseries"}
    assert {query.group for query in truth.franchises(games(*studios[:4], *large[:50]))} == {"studios", "everything"}


def test_developers_count_only_across_franchises():
    rows = (1, ["X"], ["Dev"], []), (2, ["X"], ["dev "], []), (3, ["Y"], ["DEV"], []), (4, [], ["Dev"], [])
    too_many = [(100 + number, [f"Series {number}"], ["Publisher"], []) for number in range(truth.LARGEST + 1)]
    queries = truth.developers(games(*rows, *too_many))
    assert queries == [
        truth.Query(1, "dev", frozenset({3}), frozenset({2})),
        truth.Query(2, "dev", frozenset({3}), frozenset({1})),
        truth.Query(3, "dev", frozenset({1, 2}), frozenset()),
    ]


def test_queries_among_some_games_keep_what_can_be_found_and_the_halves_part_the_groups():
    queries = [truth.Query(1, "a", frozenset({2, 3})), truth.Query(4, "b", frozenset({5})), truth.Query(6, "c", {1})]
    assert truth.among(queries, [1, 2, 4]) == [truth.Query(1, "a", frozenset({2}))]
    queries = [truth.Query(appid, f"group {appid // 3}", frozenset({0})) for appid in range(300)]
    one, other = truth.half(queries, "development"), truth.half(queries, "test")
    assert sorted(one + other) == queries
    assert not {query.group for query in one} & {query.group for query in other}
    assert 30 < len({query.group for query in one}) < 70


def test_baselines_look_at_what_they_say():
    rng = np.random.default_rng(0)
    noise = np.asarray(Image.fromarray(rng.integers(0, 256, (12, 8, 3), dtype=np.uint8)).resize((256, 384)))
    half = np.zeros((384, 256, 3), np.uint8)
    half[:96] = (10, 250, 130)  # a quarter: 0 * 16 + 3 * 4 + 2
    half[96:192] = (64, 128, 192)  # a quarter, each at the lower end of its bin: 1 * 16 + 2 * 4 + 3
    found = baselines.Pixels()([noise, half]).numpy()
    colours, hashes, thumbnails, _ = (found[:, columns] for columns, _ in baselines.BASELINES.values())
    assert colours[1, [0, 14, 27]].tolist() == pytest.approx([0.5**0.5, 0.5, 0.5])
    np.testing.assert_allclose(np.linalg.norm(colours, axis=1), 1, rtol=1e-6)
    small = Image.fromarray(noise).reduce(4)
    np.testing.assert_array_equal(hashes[0] > 0, imagehash.phash(small).hash.ravel())
    thumbnail = np.asarray(small.resize((8, 12), Image.Resampling.BOX)).transpose(2, 0, 1)
    np.testing.assert_allclose(thumbnails[0], thumbnail.ravel(), atol=1)


y, x = np.mgrid[:384, :256]
PLACES = np.stack([x, y / 2, np.zeros_like(x)], axis=2).astype(np.uint8)  # red is x, green is y / 2


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mirrored", (255, 0, 0, 191)),
        ("cut", (26, 29, 230, 163)),  # 0.8 of the width, 0.7 of the height
        ("crop", (26, 19, 229, 172)),  # four fifths of each side
        ("ratio", (43, 0, 213, 191)),  # the middle two thirds of the width
    ],
)
def test_a_moved_copy_shows_the_part_that_it_should(name, expected):
    """The upper left and the lower right corner of the copy come from these places."""
    altered = alterations.alter(PLACES, name)
    assert altered.shape == (384, 256, 3)
    np.testing.assert_allclose([*altered[0, 0, :2], *altered[-1, -1, :2]], expected, atol=1.5)


@pytest.mark.parametrize(
    ("name", "colour", "expected"),
    [
        ("hue", (200, 0, 0), (0, 200, 22)),  # 127 degrees on
        ("hue", (200, 0, 100), (84, 200, 0)),  # past the end of the circle, which has 256 steps
        ("colour", (200, 0, 0), (240, 180, 0)),  # 45 degrees on, and brighter by a fifth
        ("grey", (200, 0, 0), (60, 60, 60)),  # what red adds to luma: 0.299
    ],
)
def test_a_recoloured_copy_has_the_colour_that_it_should(name, colour, expected):
    altered = alterations.alter(np.full((384, 256, 3), colour, np.uint8), name)
    np.testing.assert_allclose(altered, np.full((384, 256, 3), expected), atol=2)


@pytest.mark.parametrize(
    ("name", "where", "colour"),
    [("badge", np.s_[:57, 150:], (0x4C, 0x6B, 0x22)), ("text", np.s_[160:225], (0x1B, 0x28, 0x38))],
)
def test_a_badge_and_a_line_of_text_hide_what_they_should_and_no_more(name, where, colour):
    altered = alterations.alter(PLACES, name).copy()
    assert (altered[where] == colour).all(2).mean() > 0.5
    assert (altered[where].min(2) > 200).mean() > 0.02  # white letters
    altered[where] = PLACES[where]
    np.testing.assert_array_equal(altered, PLACES)


@given(st.lists(st.booleans(), min_size=10, max_size=10), st.integers(1, 30))
def test_metrics_are_those_of_torchmetrics(hits, missing):
    """torchmetrics sees only what is in the list, so that what the ranking lacks is put below place K, to K in all.

    Then its recall is hits / min(K, relevant) and its nDCG's ideal has as many. Its AP@K divides by the hits found;
    times recall, it divides by min(K, relevant), as is usual.
    """
    wanted = {appid for appid in range(10) if hits[appid]} | set(range(100, 100 + missing))
    table = metrics.scores(np.arange(10)[None], [truth.Query(99, "a", frozenset(wanted))])
    assert table["group"].tolist() == ["a"]
    target = torch.zeros(20, dtype=torch.bool)
    target[:10] = torch.tensor(hits)
    target[10 : 10 + min(10, len(wanted)) - sum(hits)] = True
    order = torch.arange(20, 0, -1.0)
    recall = retrieval.retrieval_recall(order, target, 10)
    precision = retrieval.retrieval_average_precision(order, target, 10)
    hit, gain = retrieval.retrieval_hit_rate(order, target, 1), retrieval.retrieval_normalized_dcg(order, target, 10)
    found = table[list(metrics.METRICS)].iloc[0].astype(float)
    np.testing.assert_allclose(found, [recall, hit, precision * recall, gain], rtol=1e-6, atol=1e-9)


def test_averages_are_over_groups_with_the_interval_of_a_normal_mean():
    values = np.random.default_rng(1).random(400)
    table = pd.DataFrame({"group": np.arange(400).astype(str)} | dict.fromkeys(metrics.METRICS, values))
    many_of_one = pd.concat([table, *[table[:1]] * 100])
    found = metrics.averages(many_of_one)
    assert found["nDCG@10"] == pytest.approx(values.mean())
    away = 1.96 * values.std() / 400**0.5
    expected = [values.mean() - away, values.mean() + away]
    assert [found["recall@10 low"], found["recall@10 high"]] == pytest.approx(expected, abs=0.15 * away)
    assert np.isnan(list(metrics.averages(table[:0]).values())).all()


@pytest.mark.parametrize("decimals", [1, 12])
@pytest.mark.parametrize("lost", [0, 5])
def test_micro_average_precision_is_that_of_torchmetrics(decimals, lost):
    """With one decimal many cosines are equal; `lost` pairs are in no list."""
    rng = np.random.default_rng(decimals)
    hits = rng.random((10, 11)) < 0.2
    cosines = rng.uniform(-1, 1, (10, 11)).round(decimals)
    found = binary_average_precision(torch.from_numpy((1 + cosines.ravel()) / 2), torch.from_numpy(hits.ravel()).long())
    expected = float(found) * hits.sum() / (hits.sum() + lost)
    assert metrics.micro_average_precision(hits, cosines, hits.sum() + lost) == pytest.approx(expected, rel=1e-6)


def prepared(vectors):
    appids = np.arange(len(vectors)) + 1
    features = Features(appids, appids.astype(str), np.asarray(vectors, np.float16), {"preparation": "as they are"})
    return matching.prepare(features, "as they are")


def test_hubness_counts_how_often_each_game_is_shown(monkeypatch):
    vectors = (1 + 0.2 * np.random.default_rng(0).normal(size=(80, 3))).astype(np.float16)
    vectors[7] = -3  # nobody's neighbour
    found = metrics.hubness(prepared(vectors))
    unit = vectors.astype(float) / np.linalg.norm(vectors.astype(float), axis=1, keepdims=True)
    nearest = np.argsort(-(unit @ unit.T), axis=1)[:, 1:11]
    shown = np.array([(nearest == game).sum() for game in range(80)])
    assert found["never"] == (shown == 0).mean() >= 1 / 80
    assert found["skew"] == pytest.approx(((shown - 10) ** 3).mean() / shown.std() ** 3)
    monkeypatch.setattr(metrics, "HUB_GAMES", 11)  # each of eleven is among the ten nearest of all others
    assert metrics.hubness(prepared(vectors)) == {"never": 0, "skew": 0}


def test_a_ranking_leaves_out_the_game_itself_and_what_is_ignored_and_ends_with_nobody():
    angles = np.radians(np.arange(15) * 3.0)
    games = prepared(np.stack([np.cos(angles), np.sin(angles)], 1))
    queries = [truth.Query(1, "a", frozenset({5}), frozenset({2, 3})), truth.Query(2, "a", frozenset({5}))]
    expected = [[4, 5, 6, 7, 8, 9, 10, 11, 12, 13], [1, 3, 4, 5, 6, 7, 8, 9, 10, 11]]
    assert metrics.rank(games, queries).tolist() == expected
    assert metrics.rank(games, queries, games.vectors[:2]).tolist() == expected
    queries = [truth.Query(1, "a", frozenset({2}), frozenset({3}))]
    ranked = metrics.rank(prepared(np.eye(3)), queries)
    assert ranked.tolist() == [[2] + [-1] * 9]
    assert metrics.scores(ranked, queries)["recall@10"].tolist() == [1]
