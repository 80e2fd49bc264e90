"""The study's metrics, each by a second route: by its definition, or by torchmetrics."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional import retrieval
from torchmetrics.functional.classification import binary_average_precision

from study import metrics, truth
from utils import matching
from utils.features import Features


def by_torchmetrics(hits, relevant):
    """METRICS of one ranking.

    torchmetrics sees only what is in the list, so that relevant games which the ranking lacks are put below place K,
    K in all at most: then its recall is hits / min(K, relevant) and its nDCG's ideal has as many. Its AP@K divides by
    the hits found; times recall, it divides by min(K, relevant), as is usual.
    """
    target = torch.zeros(20, dtype=torch.bool)
    target[:10] = torch.tensor(hits)
    target[10 : 10 + min(10, relevant) - sum(hits)] = True
    order = torch.arange(20, 0, -1.0)
    recall = retrieval.retrieval_recall(order, target, 10)
    precision = retrieval.retrieval_average_precision(order, target, 10)
    gain = retrieval.retrieval_normalized_dcg(order, target, 10)
    hit = retrieval.retrieval_hit_rate(order, target, 1)
    return [float(recall), float(hit), float(precision * recall), float(gain)]


@given(st.lists(st.booleans(), min_size=10, max_size=10), st.integers(1, 30))
def test_metrics_are_those_of_torchmetrics(hits, missing):
    wanted = {appid for appid in range(10) if hits[appid]} | set(range(100, 100 + missing))
    table = metrics.scores(np.arange(10)[None], [truth.Query(99, "a", frozenset(wanted))])
    assert table["group"].tolist() == ["a"]
    expected = by_torchmetrics(hits, len(wanted))
    np.testing.assert_allclose(table[list(metrics.METRICS)].iloc[0].astype(float), expected, rtol=1e-6, atol=1e-9)


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
    manifest = {"preparation": "as they are"}
    return matching.prepare(
        Features(appids, appids.astype(str), np.asarray(vectors, np.float16), manifest), "as they are"
    )


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


def test_a_ranking_leaves_out_the_game_itself_and_what_is_ignored():
    angles = np.radians(np.arange(15) * 3.0)
    games = prepared(np.stack([np.cos(angles), np.sin(angles)], 1))
    queries = [truth.Query(1, "a", frozenset({5}), frozenset({2, 3})), truth.Query(2, "a", frozenset({5}))]
    expected = [[4, 5, 6, 7, 8, 9, 10, 11, 12, 13], [1, 3, 4, 5, 6, 7, 8, 9, 10, 11]]
    assert metrics.rank(games, queries).tolist() == expected
    assert metrics.rank(games, queries, games.vectors[:2]).tolist() == expected


def test_a_ranking_of_few_games_ends_with_nobody():
    queries = [truth.Query(1, "a", frozenset({2}), frozenset({3}))]
    ranked = metrics.rank(prepared(np.eye(3)), queries)
    assert ranked.tolist() == [[2] + [-1] * 9]
    assert metrics.scores(ranked, queries)["recall@10"].tolist() == [1]
