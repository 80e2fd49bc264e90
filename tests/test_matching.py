"""matching: exactness against float64, ties, preparations, what is kept, groups, and one's own picture."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from utils import matching
from utils.features import Features

MANIFEST = {"checkpoint": "tiny", "image": "squash", "pooling": "pooled", "preparation": "as they are"}


def features(vectors, appids=None):
    vectors = np.asarray(vectors, dtype=np.float16)
    appids = np.arange(10, 10 + 10 * len(vectors), 10) if appids is None else np.asarray(appids)
    names = np.array([f"Game {appid}" for appid in appids], dtype=object)
    return Features(appids.astype(np.int64), names, vectors, dict(MANIFEST))


def clustered(count, dims=24, seed=0):
    """Vectors as a network gives them: a large common part, clusters, and some exact copies of each other."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(2, count // 20), dims))
    vectors = 5 + centres[rng.integers(len(centres), size=count)] + 0.3 * rng.normal(size=(count, dims))
    vectors[rng.choice(count, count // 10)] = vectors[rng.choice(count, 3)[0]]
    return features(vectors, rng.permutation(count) * 7 + 1)


def whole_matrix(games, how):
    """The second route: float64, one N x N matrix, each game's cosine with itself minus infinity."""
    order = np.argsort(games.appids)
    vectors = games.vectors[order].astype(np.float64)
    if how == "centred":
        vectors -= vectors.mean(0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    return games.appids[order], cosines


def assert_exact(appids, cosines, neighbours, found):
    """Each row: the greatest cosines of its row, each the cosine with that neighbour, equal ones by appid."""
    best = -np.sort(-cosines, axis=1)[:, : found.shape[1]]
    np.testing.assert_allclose(found, best, rtol=0, atol=3e-7)
    theirs = np.take_along_axis(cosines, np.searchsorted(appids, neighbours), 1)
    np.testing.assert_allclose(found, theirs, rtol=0, atol=3e-7)
    later, tied = np.diff(neighbours, axis=1), np.diff(found, axis=1) == 0
    assert (later[tied] > 0).all()
    assert (later != 0).all()


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(matching, "_TILE", 64)
    monkeypatch.setattr(matching, "_FOLD", 4)
    monkeypatch.setattr(matching, "_SPARE", 2)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("how", ["as they are", "centred"])
@pytest.mark.parametrize("count", [3, 63, 64, 65, 300])
def test_all_matches_are_those_of_a_whole_float64_matrix(how, count):
    games = clustered(count)
    found = matching.all_matches(matching.prepare(games, how), 5)
    appids, cosines = whole_matrix(games, how)
    np.testing.assert_array_equal(found.appids, appids)
    assert found.neighbours.shape == (count, min(5, count - 1))
    assert (found.neighbours.dtype, found.cosines.dtype) == (np.int64, np.float32)
    assert_exact(appids, cosines, found.neighbours, found.cosines)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("how", ["as they are", "centred", "whitened"])
def test_nearest_by_appid_agrees_with_all_matches(how):
    games = matching.prepare(clustered(300), how)
    matches = matching.all_matches(games, 7)
    appids, cosines = matching.nearest(games, matches.appids[::-1], 7)
    np.testing.assert_array_equal(appids, matches.neighbours[::-1])
    np.testing.assert_array_equal(cosines, matches.cosines[::-1])


@pytest.mark.usefixtures("small_tiles")
def test_among_many_copies_the_lowest_appids_come_first():
    vectors = np.ones((200, 8))
    vectors[::2] = np.arange(8)
    games = features(vectors, np.arange(200)[::-1] + 1)
    found = matching.all_matches(games, 3)
    evens = [game for game in range(1, 201) if game % 2 == 0]
    for game in evens:
        assert found.of(game)[0].tolist() == [other for other in evens[:4] if other != game][:3]
    assert (found.cosines == 1).all()


def test_one_query_among_many_copies_finds_the_lowest_appids_too():
    games = features(np.ones((3000, 8)), np.arange(3000)[::-1] + 1)
    appids, cosines = matching.nearest(games, [2, 2999], 10)
    assert appids.tolist() == [[1, *range(3, 12)], [*range(1, 11)]]
    assert (cosines == 1).all()


@pytest.mark.parametrize("before", ["highest", "high", "medium"])
def test_the_process_keeps_its_precision(before):
    torch.set_float32_matmul_precision(before)
    try:
        matching.all_matches(clustered(50), 3)
        assert torch.get_float32_matmul_precision() == before
    finally:
        torch.set_float32_matmul_precision("highest")


def test_faster_products_are_used_only_where_they_are_as_exact(monkeypatch):
    vectors = torch.nn.functional.normalize(torch.randn(300, 64, generator=torch.manual_seed(0)))
    with matching._exact_products(vectors):
        error = (vectors @ vectors.T - (vectors.double() @ vectors.double().T)).abs().max()
    assert error < 1e-6
    monkeypatch.setattr(matching, "_ROUNDING", 0)
    with matching._exact_products(vectors):
        assert torch.get_float32_matmul_precision() == "highest"


def test_preparations_are_what_they_say():
    games = clustered(200)
    raw = games.vectors.astype(np.float64)
    centred = matching.prepare(games, "centred")
    whitened = matching.prepare(games, "whitened", exponent=1, floor=1e-9)
    order = np.argsort(games.appids)
    expected = (raw - raw.mean(0))[order]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(centred.vectors, expected, rtol=0, atol=1e-7)
    axes = (raw - raw.mean(0)) @ whitened.turn
    np.testing.assert_allclose(axes.T @ axes / len(raw), np.eye(24), atol=1e-6)
    assert centred.manifest["preparation"] == "centred"
    assert whitened.manifest["preparation"] == "whitened (exponent 1, floor 1e-09)"
    assert games.manifest["preparation"] == "as they are"


def test_whitening_with_fewer_games_than_dimensions_stays_finite():
    whitened = matching.prepare(clustered(10, dims=24), "whitened", exponent=1)
    assert np.isfinite(whitened.vectors).all()
    np.testing.assert_allclose(np.linalg.norm(whitened.vectors, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("how", ["as they are", "centred", "whitened"])
def test_a_vector_from_outside_is_prepared_as_the_games_were(how):
    raw = clustered(100)
    games = matching.prepare(raw, how)
    appids, cosines = matching.nearest(games, raw.vectors[3:5].astype(np.float32), 1)
    rows, asked = (np.searchsorted(games.appids, each) for each in (appids[:, 0], raw.appids[3:5]))
    np.testing.assert_array_equal(games.vectors[rows], games.vectors[asked])
    np.testing.assert_array_equal(cosines, 1)


def test_vectors_that_point_nowhere_are_named_and_left_out():
    vectors = np.vstack([np.eye(4), np.zeros(4), [np.nan, 0, 0, 1], [np.inf, 0, 0, 1], np.full(4, 0.25)])
    with pytest.warns(UserWarning, match=r"left out.* Game 50 \(50\), Game 60 \(60\), Game 70 \(70\), Game 80 \(80\)"):
        games = matching.prepare(features(vectors), "centred")
    assert games.appids.tolist() == [10, 20, 30, 40]
    assert games.manifest["left_out"] == [50, 60, 70, 80]
    with pytest.raises(matching.MatchError, match="game 50 is not among the 4 games"):
        matching.nearest(games, [10, 50], 1)


def test_most_unique_games_come_first_with_their_percentile():
    angles = np.radians([0, 1, 40, 43, 120])
    table = matching.most_unique(features(np.stack([np.cos(angles), np.sin(angles)], 1)), 3)
    assert table["appid"].tolist() == [50, 30, 40]
    assert table["nearest"].tolist() == [40, 40, 30]
    assert table["percentile"].tolist() == [80, 40, 40]
    np.testing.assert_allclose(table["cosine"], np.cos(np.radians([77, 3, 3])), atol=1e-3)


@pytest.mark.usefixtures("small_tiles")
def test_near_duplicates_are_chains_across_tiles():
    angles = np.radians(np.arange(150) * 2.0)
    angles[[1, 140]] = angles[0] + np.radians([0.5, 1.0])
    angles[[70, 149]] = np.radians(350)
    games = features(np.stack([np.cos(angles), np.sin(angles)], 1))
    groups = matching.near_duplicates(games, np.cos(np.radians(0.7)))
    assert [group.tolist() for group in groups] == [[10, 20, 1410], [710, 1500]]
    assert matching.near_duplicates(games, 1.0)[0].tolist() == [710, 1500]


def test_a_ranked_list_shows_one_of_each_group():
    groups = [np.array([1, 5, 9]), np.array([2, 3])]
    shown, hidden = matching.one_per_group(np.array([5, 7, 2, 1, 9, 8, 3]), groups)
    assert shown.tolist() == [0, 1, 2, 5]
    assert hidden.tolist() == [2, 0, 1, 0]


def test_a_ranked_list_can_leave_out_the_same_people():
    catalogue = pd.DataFrame(
        {
            "appid": [1, 2, 3, 4],
            "developers": [["Valve"], ["VALVE "], ["Hopoo"], []],
            "franchises": [["Half-Life"], [], ["Half Life"], ["Portal"]],
        }
    )
    assert matching.by_others(np.array([2, 3, 4, 99]), 1, catalogue).tolist() == [2, 3]


def test_a_picture_of_ones_own_is_ranked_among_all_games():
    angles = np.radians([0, 2, 90, 100])
    games = matching.prepare(features(np.stack([np.cos(angles), np.sin(angles)], 1)), "as they are")
    matches = matching.all_matches(games, 1)
    stands = matching.stand_out(games, np.array([[1.0, np.tan(np.radians(7))]]), matches, k=2)
    assert stands.appids.tolist() == [20, 10]
    assert stands.cosines[0] == pytest.approx(np.cos(np.radians(5)), abs=1e-3)
    assert stands.percentile == 50
    with pytest.raises(matching.MatchError, match="those of tiny, squash, pooled, as they are"):
        matching.stand_out(matching.prepare(clustered(10)), np.ones((1, 24)), matches)


@pytest.mark.usefixtures("small_tiles")
def test_matches_are_kept_and_read_again(tmp_path, monkeypatch):
    games = matching.prepare(clustered(100))
    made = matching.all_matches(games, 5, tmp_path / "matches")
    monkeypatch.setattr(matching, "_all_pairs", None)
    for k in (5, 2):
        read = matching.all_matches(games, k, tmp_path / "matches")
        np.testing.assert_array_equal(read.neighbours, made.neighbours[:, :k])
        np.testing.assert_array_equal(read.cosines, made.cosines[:, :k])
    assert (read.appids == made.appids).all()
    assert (read.names == made.names).all()
    assert read.manifest == made.manifest
    assert [file.name for file in (tmp_path / "matches").iterdir()] == ["matches.parquet"]


def test_matches_of_other_features_are_refused_and_made_anew(tmp_path):
    one, other = matching.prepare(clustered(50)), matching.prepare(clustered(50, seed=1))
    with pytest.raises(matching.MatchError, match=r"no matches in .* makes them"):
        matching.load_matches(tmp_path, one)
    matching.all_matches(one, 3, tmp_path)
    with pytest.raises(matching.MatchError, match=r"another snapshot; .* makes them anew"):
        matching.load_matches(tmp_path, other)
    matching.all_matches(other, 3, tmp_path)
    assert matching.load_matches(tmp_path, other).appids.tolist() == other.appids.tolist()


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda games: matching.nearest(games, [10], 0), "k is 0; allowed are 1 and more"),
        (lambda games: matching.nearest(games, [], 1), "there are no queries"),
        (lambda games: matching.nearest(games, np.ones((2, 3)), 1), r"float64 of shape \(2, 3\); .* vectors \(q, 4\)"),
        (lambda games: matching.nearest(games, np.zeros((1, 4)), 1), "query 0 is zero"),
        (lambda games: matching.nearest(games, ["620"], 1), "queries are <U3"),
        (lambda games: matching.near_duplicates(games, 1.5), "threshold is 1.5"),
        (
            lambda games: matching.prepare(games, "centered"),
            "preparation is 'centered'; allowed are 'as",
        ),
        (lambda games: matching.prepare(matching.prepare(games, "centred")), r"prepared already \(centred\)"),
        (lambda games: matching.prepare(games, "whitened", floor=0), "floor 0; allowed are"),
        (lambda games: matching.prepare(replace(games, vectors=0 * games.vectors)), "two games at least; 0 of 4"),
        (lambda games: matching.prepare(replace(games, vectors=1 + 0 * games.vectors)), "two games at least; 0 of 4"),
    ],
)
def test_what_cannot_be_answered_is_said(ask, said):
    with pytest.raises(matching.MatchError, match=said):
        ask(features(np.eye(4)))
