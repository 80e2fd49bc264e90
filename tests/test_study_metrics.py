"""The study's metrics, each by a second route: by hand, by its definition, by torchmetrics."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional import retrieval
from torchmetrics.functional.classification import binary_average_precision

from study import metrics, truth
from utils import features, matching


def test_metrics_of_a_ranking_worked_by_hand():
    relevant = frozenset({1, 2, 3})
    table = metrics.scores(np.array([[9, 1, 8, 2, *range(20, 26)]]), [truth.Query(0, "a", relevant)])
    gain = 1 / math.log2(3) + 1 / math.log2(5)
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    expected = [2 / 3, 0, (1 / 2 + 2 / 4) / 3, gain / ideal]
    np.testing.assert_allclose(table[list(metrics.METRICS)].iloc[0].astype(float), expected, rtol=1e-6)
    assert table["group"].tolist() == ["a"]


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


@given(st.lists(st.booleans(), min_size=10, max_size=10), st.integers(0, 30))
def test_metrics_are_those_of_torchmetrics(hits, missing):
    relevant = sum(hits) + missing
    if relevant == 0:
        return
    ranked = np.arange(10)
    wanted = {appid for appid in range(10) if hits[appid]} | set(range(100, 100 + missing))
    row = metrics.scores(ranked[None], [truth.Query(99, "a", frozenset(wanted))])[list(metrics.METRICS)].iloc[0]
    np.testing.assert_allclose(row.astype(float), by_torchmetrics(hits, relevant), rtol=1e-6, atol=1e-9)


def test_averages_are_over_groups_with_a_bootstrap_interval():
    rows = [("a", 1.0)] * 8 + [("b", 0.0)] + [("c", 0.5), ("c", 0.0)]
    table = pd.DataFrame(rows, columns=["group", "recall@10"]).assign(**dict.fromkeys(metrics.METRICS[1:], 0.5))
    found = metrics.averages(table)
    assert found["recall@10"] == pytest.approx((1 + 0 + 0.25) / 3)
    assert (found["recall@10 low"], found["recall@10 high"]) == (0, 1)  # one of 27 draws is b three times, and one is a
    assert found["hit@1"] == found["hit@1 low"] == found["hit@1 high"] == 0.5
    assert np.isnan(list(metrics.averages(table[:0]).values())).all()


def test_the_interval_of_many_groups_is_that_of_a_normal_mean():
    values = np.random.default_rng(1).random(400)
    table = pd.DataFrame({"group": np.arange(400).astype(str)} | dict.fromkeys(metrics.METRICS, values))
    found = metrics.averages(table)
    away = 1.96 * values.std() / 400**0.5
    expected = [values.mean() - away, values.mean() + away]
    assert [found["recall@10 low"], found["recall@10 high"]] == pytest.approx(expected, abs=0.15 * away)


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
    assert metrics.micro_average_precision(np.zeros((2, 2), bool), np.ones((2, 2)), 4) == 0


def featured(vectors):
    vectors = np.asarray(vectors, np.float16)
    appids = np.arange(len(vectors)) + 1
    return features.Features(appids, appids.astype(str).astype(object), vectors, {"preparation": "as they are"})


def test_hubness_counts_how_often_each_game_is_shown(monkeypatch):
    vectors = (1 + 0.2 * np.random.default_rng(0).normal(size=(80, 3))).astype(np.float16)
    vectors[7] = -3  # nobody's neighbour
    found = metrics.hubness(matching.prepare(featured(vectors), "as they are"))
    unit = vectors.astype(float) / np.linalg.norm(vectors.astype(float), axis=1, keepdims=True)
    nearest = np.argsort(-(unit @ unit.T), axis=1)[:, 1:11]
    shown = np.array([(nearest == game).sum() for game in range(80)])
    assert found["never"] == (shown == 0).mean() >= 1 / 80
    assert found["skew"] == pytest.approx(((shown - 10) ** 3).mean() / shown.std() ** 3)
    monkeypatch.setattr(metrics, "HUB_GAMES", 11)
    assert metrics.hubness(matching.prepare(featured(vectors), "as they are")) == {
        "never": 0,
        "skew": 0,
    }


def test_a_ranking_leaves_out_the_game_itself_and_what_is_ignored():
    angles = np.radians(np.arange(15) * 3.0)
    ready = matching.prepare(featured(np.stack([np.cos(angles), np.sin(angles)], 1)), "as they are")
    queries = [truth.Query(1, "a", frozenset({5}), frozenset({2, 3})), truth.Query(2, "a", frozenset({5}))]
    expected = [[4, 5, 6, 7, 8, 9, 10, 11, 12, 13], [1, 3, 4, 5, 6, 7, 8, 9, 10, 11]]
    assert metrics.rank(ready, queries).tolist() == expected
    assert metrics.rank(ready, queries, ready.vectors[:2]).tolist() == expected


def test_a_ranking_of_few_games_ends_with_nobody():
    ready = matching.prepare(featured(np.eye(3)), "as they are")
    ranked = metrics.rank(ready, [truth.Query(1, "a", frozenset({2}), frozenset({3}))])
    assert ranked.tolist() == [[2] + [-1] * 9]
    assert metrics.scores(ranked, [truth.Query(1, "a", frozenset({2}))])["recall@10"].tolist() == [1]
