"""matching: exactness against float64, ties, preparations, what is kept, groups, and one's own picture."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from utils import banners, files, matching
from utils.errors import MatchError, StorageError
from utils.features import Features
from utils.matching import search
from utils.matching.duplicates import recompressed, with_badge


def features(vectors, appids=None):
    vectors = np.asarray(vectors, dtype=np.float16)
    appids = np.arange(10, 10 + 10 * len(vectors), 10) if appids is None else np.asarray(appids)
    names = np.array([f"Game {appid}" for appid in appids], dtype=object)
    return Features(appids.astype(np.int64), names, vectors, {"preparation": "as they are"})


def clustered(count, dims=24, seed=0):
    """Vectors as a network gives them: a large common part, clusters, and some exact copies of each other."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(2, count // 20), dims))
    vectors = 5 + centres[rng.integers(len(centres), size=count)] + 0.3 * rng.normal(size=(count, dims))
    vectors[rng.choice(count, count // 10)] = vectors[rng.choice(count, 3)[0]]
    return features(vectors, rng.permutation(count) * 7 + 1)


def at(*degrees):
    """Vectors (n, 2) on a circle: their cosines are those of the angles between them."""
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def noise(count):
    """Pictures of squares, uint8 RGB (count, 384, 256, 3)."""
    return np.random.default_rng(0).integers(0, 256, (count, 12, 8, 3), np.uint8).repeat(32, 1).repeat(32, 2)


def album_of(games, pictures):
    return {appid: banners.own(rgb, "") for appid, rgb in zip(games.appids.tolist(), pictures, strict=True)}


def whole_matrix(vectors):
    """The second route: float64, one N x N matrix, each vector's cosine with itself minus infinity."""
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = units @ units.T
    np.fill_diagonal(cosines, -np.inf)
    return cosines


def assert_exact(appids, cosines, neighbours, found):
    """Each row: the greatest cosines of its row, each the cosine with that neighbour, equal ones by appid."""
    best = -np.sort(-cosines, axis=1)[:, : found.shape[1]]
    np.testing.assert_allclose(found, best, rtol=0, atol=3e-7)
    theirs = np.take_along_axis(cosines, np.searchsorted(appids, neighbours), 1)
    np.testing.assert_allclose(found, theirs, rtol=0, atol=3e-7)
    later, tied = np.diff(neighbours, axis=1), np.diff(found, axis=1) == 0
    assert (later[tied] > 0).all()
    assert (later != 0).all()


@settings(max_examples=150)
@given(st.integers(2, 70), st.integers(1, 6), st.sampled_from([0, 1e-4, 1]), st.integers(0, 2**32 - 1))
def test_matches_are_those_of_a_whole_float64_matrix_whatever_the_ties(count, dims, apart, seed):
    """The vectors are of few values, so that many are equal or nearly so."""
    rng = np.random.default_rng(seed)
    vectors = (rng.integers(-2, 3, size=(count, dims)) + apart * rng.normal(size=(count, 1))).astype(np.float16)
    vectors[~vectors.any(axis=1)] = 1
    appids, k = np.arange(count) * 7 + 1, int(rng.integers(1, count))
    shuffled = rng.permutation(count)
    games = matching.prepare(features(vectors[shuffled], appids[shuffled]), "as they are")
    with pytest.MonkeyPatch.context() as patch:
        for name, smaller in {"TILE": 16, "FOLD": 4, "SPARE": 1}.items():
            patch.setattr(search, name, smaller)
        found = matching.all_matches(games, k)
        alone = matching.nearest(games, appids[::-1], k)
        every = matching.nearest(games, vectors, count)
    cosines = whole_matrix(vectors.astype(np.float64))
    np.testing.assert_array_equal(found.appids, appids)
    assert_exact(appids, cosines, found.neighbours, found.cosines)
    for asked, kept, kind in zip(alone, (found.neighbours, found.cosines), (np.int64, np.float32), strict=True):
        np.testing.assert_array_equal(asked[::-1], kept)
        assert (kept.shape, kept.dtype, asked.dtype) == ((count, k), kind, kind)
    np.fill_diagonal(cosines, 1)
    assert_exact(appids, cosines, *every)


def test_faster_products_are_used_only_where_they_are_as_exact(monkeypatch):
    vectors = torch.nn.functional.normalize(torch.randn(300, 64, generator=torch.manual_seed(0)))
    before = torch.get_float32_matmul_precision()
    with search.exact_products(vectors):
        assert (vectors @ vectors.T - (vectors.double() @ vectors.double().T)).abs().max() < 1e-6
    monkeypatch.setattr(search, "ROUNDOFF", 0)
    with search.exact_products(vectors):
        assert torch.get_float32_matmul_precision() == "highest"
        torch.set_float32_matmul_precision("high")
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.parametrize("exponent", [0.5, 1])
def test_whitening_divides_each_axis_by_a_power_of_its_eigenvalue_down_to_a_floor(exponent):
    games = clustered(200)
    centred = games.vectors.astype(np.float64) - games.vectors.astype(np.float64).mean(0)
    eigenvalues = np.linalg.eigvalsh(centred.T @ centred / 200)
    raised = np.maximum(eigenvalues, 0.01 * eigenvalues[-1])
    assert 0 < (raised > eigenvalues).sum() < len(raised)
    whitened = matching.prepare(games, exponent=exponent)
    turned = centred @ whitened.whitening_matrix
    np.testing.assert_allclose(turned.T @ turned / 200, np.diag(eigenvalues / raised**exponent), atol=1e-9)
    assert whitened.manifest["preparation"] == f"whitened (exponent {exponent:g}, floor 0.01)"


@pytest.mark.parametrize("how", ["as they are", "centred", "whitened"])
def test_a_vector_from_outside_is_rounded_and_prepared_as_the_games_were(how):
    raw = clustered(100)
    games = matching.prepare(raw, how)
    _, cosines = matching.nearest(games, raw.vectors[3:5] * np.float32(1.0001), 1)
    np.testing.assert_array_equal(cosines, 1)


def test_vectors_without_a_direction_are_named_and_left_out():
    vectors = np.vstack([np.eye(4), np.zeros(4), [np.nan, 0, 0, 1], [np.inf, 0, 0, 1], np.full(4, 0.25)])
    with pytest.warns(UserWarning, match=r"left out.* Game 50 \(50\), Game 60 \(60\), Game 70 \(70\), Game 80 \(80\)"):
        games = matching.prepare(features(vectors), "centred")
    assert (games.appids.tolist(), games.manifest["left_out"]) == ([10, 20, 30, 40], [50, 60, 70, 80])


def test_most_unique_games_come_first_with_their_percentile():
    table = matching.most_unique(matching.all_matches(features(at(0, 1, 40, 43, 120)), 1), 3)
    found = table[["appid", "nearest", "percentile"]].to_numpy().tolist()
    assert found == [[50, 40, 80], [30, 40, 40], [40, 30, 40]]
    np.testing.assert_allclose(table["cosine"], np.cos(np.radians([77, 3, 3])), atol=1e-3)


def test_near_duplicates_are_chains_across_tiles(monkeypatch):
    monkeypatch.setattr(search, "TILE", 64)
    degrees = np.arange(150) * 2.0
    degrees[[1, 140, 70, 149]] = 0.5, 1, 350, 350
    games = features(at(*degrees))
    groups = matching.near_duplicates(games, np.cos(np.radians(0.7)))
    assert [list(group) for group in groups] == [[10, 20, 1410], [710, 1500]]
    np.testing.assert_allclose(groups[0].cosines, np.cos(np.radians(0.5)), atol=1e-3)
    assert list(matching.near_duplicates(games, 1.0)[0]) == [710, 1500]


def test_thumbnails_confirm_near_duplicates():
    """Of three games that a network finds alike, two have the same pixels, but for a badge; so has one far away."""
    games = matching.prepare(features(at(0, 12, 20, 90)), "as they are")
    pictures = noise(2)
    badged = np.asarray(with_badge(Image.fromarray(pictures[0])))
    threshold = np.cos(np.radians(10))
    assert [list(group) for group in matching.near_duplicates(games, threshold)] == [[20, 30]]
    album = album_of(games, (pictures[0], badged, pictures[1], pictures[0]))
    (confirmed,) = matching.near_duplicates(games, threshold, album)
    assert list(confirmed) == [10, 20]
    np.testing.assert_allclose(confirmed.cosines, np.cos(np.radians(12)), atol=1e-3)


def test_a_threshold_is_what_nine_of_ten_light_copies_keep():
    def encoder(pictures):
        return torch.from_numpy(np.array([picture[::32, ::32].ravel() / 255 for picture in pictures], np.float32))

    games = matching.prepare(features(encoder(noise(20))), "centred")
    album = album_of(games, noise(20))
    cosines = []
    for alter in (recompressed, with_badge):
        copies = encoder([np.asarray(alter(Image.fromarray(banner.rgb))) for banner in album.values()])
        cosines.append((games.units(copies.numpy())[0] * games.vectors).sum(1))
    expected = np.quantile(cosines, 0.1)
    assert matching.duplicate_threshold(encoder, games, album) == pytest.approx(expected, abs=1e-6)


def test_a_ranked_list_can_leave_out_the_same_people():
    catalogue = pd.DataFrame({"appid": [1, 2, 3, 4], "developers": [["Valve"], ["VALVE "], ["Hopoo"], []]})
    catalogue["franchises"] = [["Half-Life"], [], ["Half Life"], ["Portal"]]
    assert matching.exclude_same_studio(np.array([2, 3, 4, 99]), 1, catalogue).tolist() == [2, 3]


def test_a_picture_of_your_own_is_ranked_among_all_games_or_some():
    """Without 20, 10 has no twin; 30 and 40 are nearer to each other than the picture is to 10."""
    games = matching.prepare(features(at(0, 2, 90, 100)), "as they are")
    matches = matching.all_matches(games, 1)
    appids, cosines, percentile = matching.stand_out(games, at(7), matches, 2)
    assert (appids.tolist(), percentile) == ([20, 10], 50)
    assert cosines[0] == pytest.approx(np.cos(np.radians(5)), abs=1e-3)
    some = games.only(np.array([10, 30, 40, 999]))
    appids, _, percentile = matching.stand_out(some, at(40), matching.all_matches(some, 1), 10)
    assert (appids.tolist(), percentile) == ([10, 30, 40], 200 / 3)
    with pytest.raises(MatchError):
        matching.stand_out(some, at(40), matches, 10)


def test_several_views_find_what_is_nearest_to_any():
    games = features(at(0, 20, 90, 110, 250))
    views = at(5, 93)
    appids, cosines = matching.nearest_of_any(games, views, 4)
    assert appids.tolist() == [30, 10, 20, 40]
    np.testing.assert_allclose(cosines, np.cos(np.radians([3, 5, 15, 17])), atol=1e-3)
    appids, _ = matching.nearest_of_any(games, views, 3, exclude=30)
    assert appids.tolist() == [10, 20, 40]
    assert matching.nearest_of_any(games, views, 99)[0].tolist() == [30, 10, 20, 40, 50]


def test_words_are_compared_with_pictures_as_they_are():
    games = clustered(30)
    words = np.random.default_rng(0).normal(size=(2, 24)).astype(np.float32)
    np.testing.assert_array_equal(matching.nearest_to_words(games, words, 3), matching.nearest(games, words, 3))
    with pytest.raises(MatchError):
        matching.nearest_to_words(matching.prepare(games, "centred"), words, 3)


def test_matches_are_kept_and_read_again_for_the_same_features(tmp_path, monkeypatch):
    games, centred = matching.prepare(clustered(100)), matching.prepare(clustered(100), "centred")
    again = matching.prepare(replace(clustered(100), vectors=clustered(100, seed=1).vectors))  # as of another download
    matching.all_matches(centred, 2, tmp_path)  # too few for what is asked next
    for other in (centred, again, games):
        made = matching.all_matches(other, 5, tmp_path)
        np.testing.assert_array_equal(made.neighbours, matching.all_matches(other, 5).neighbours)
    with files.locked(tmp_path), pytest.raises(StorageError):
        matching.all_matches(centred, 5, tmp_path)
    monkeypatch.setattr(matching, "top_k", None)
    for k in (5, 2):
        read = matching.all_matches(games, k, tmp_path)
        np.testing.assert_array_equal(read.neighbours, made.neighbours[:, :k])
        np.testing.assert_array_equal(read.cosines, made.cosines[:, :k])
    assert ((read.appids == made.appids) & (read.names == made.names)).all()
    assert read.manifest == made.manifest


@pytest.mark.parametrize(
    ("ask", "found"),
    [
        (lambda games: matching.nearest(games, [10], 0), "k is 0"),
        (lambda games: matching.nearest(games, [], 1), "no queries"),
        (lambda games: matching.nearest(games, [620], 1), "game 620 "),
        (lambda games: matching.nearest(games, np.ones((2, 3)), 1), "(2, 3)"),
        (lambda games: matching.nearest(games, np.zeros((1, 4)), 1), "query 0 "),
        (lambda games: matching.nearest(games, np.array(["620"]), 1), "<U3"),
        (lambda games: matching.near_duplicates(games, 1.5), "1.5"),
        (lambda games: matching.prepare(games, "centered"), "'centered'"),
        (lambda games: matching.prepare(matching.prepare(games, "centred")), "(centred)"),
        (lambda games: matching.prepare(games, exponent=-1), "-1"),
        (lambda games: matching.prepare(replace(games, vectors=1 + 0 * games.vectors)), "0 of 4"),
    ],
)
def test_what_cannot_be_answered_is_said(ask, found):
    with pytest.raises(MatchError) as error:
        ask(features(np.eye(4)))
    assert found in str(error.value)


def test_the_matches_of_all_mirror_images_are_those_of_each():
    games = matching.prepare(clustered(60), "whitened")
    shuffled = np.random.default_rng(1).permutation(60)
    mirrored = features(clustered(60, seed=2).vectors[shuffled], games.appids[shuffled])
    found = matching.mirrored_matches(games, mirrored, 5)
    for appid, vector in zip(mirrored.appids, mirrored.vectors, strict=True):
        np.testing.assert_array_equal(found.of(appid), matching.nearest_of_any(games, vector[None], 5, exclude=appid))
    with pytest.raises(MatchError):
        matching.mirrored_matches(games, features(mirrored.vectors[1:], mirrored.appids[1:]), 5)
