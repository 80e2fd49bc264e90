"""The map of the store: where its coordinates come from, and where its banners stand."""

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest
from pages import assert_drawn_well, banner, boxes, lines, read

from utils import show


@pytest.fixture(scope="module")
def album():
    return {appid: banner(appid) for appid in range(1, 20)}


def test_map_puts_banners_where_their_coordinates_say(album):
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    figure = show.store_map(album, np.array([1, 2, 3, 4]), corners, columns=10)
    places = boxes(figure, range(1, 5))
    assert places[1][0] == places[3][0] < places[2][0] == places[4][0]
    assert places[3][1] == places[4][1] < places[1][1] == places[2][1]  # upwards is up
    assert_drawn_well(figure)


def test_map_moves_banners_aside(album):
    """Two in one cell: one stays, the other goes to a neighbouring cell; nothing is drawn over anything."""
    places = np.array([[0, 0], [0.505, 0.5], [0.51, 0.5], [1, 1]])
    drawn = boxes(show.store_map(album, np.array([1, 2, 3, 4]), places, columns=10), range(1, 5))
    assert drawn.keys() == {1, 2, 3, 4}
    width, height = drawn[1][2] - drawn[1][0], drawn[1][3] - drawn[1][1]
    right, down = abs(drawn[2][0] - drawn[3][0]), abs(drawn[2][1] - drawn[3][1])
    assert (right, down) == (pytest.approx(width + 3, abs=2), 0) or (0, pytest.approx(height + 3, abs=2)) == (
        right,
        down,
    )


def test_map_leaves_out_where_it_is_crowded(album):
    """A thousand games at one place: twenty-five fit near it, the corners stay free for the others."""
    places = np.concatenate([np.full((1000, 2), 0.5), [[0, 0], [1, 1]] * 10])
    appids = np.concatenate([np.full(1000, 1), [2, 3] * 10])
    figure = show.store_map(album, appids, places, columns=20)
    assert boxes(figure, range(1, 5)).keys() == {1, 2, 3}
    assert "43 of 1,020 games" in lines(figure)[-1]  # in a corner nine cells are near


def test_map_window_and_mark(album):
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    appids = np.array([1, 2, 3, 4])
    window = (0, 0.75, 0.25, 1)
    assert boxes(show.store_map(album, appids, corners, window=window), range(1, 5)).keys() == {3}
    figure = show.store_map(album, appids, corners, mark=window)
    plain = show.store_map(album, appids, corners)
    places = boxes(figure, range(1, 5))
    changed = np.nonzero(np.ptp([read(figure), read(plain)], axis=0).max(2) > 40)
    assert changed[0].min() <= places[3][1]  # the frame lies around the upper left corner
    assert changed[1].max() < 400
    assert changed[0].max() < 350


def features(vectors, fingerprint="made up"):
    appids = np.arange(len(vectors)) * 10
    return SimpleNamespace(appids=appids, vectors=vectors, manifest={"fingerprint": fingerprint})


@pytest.fixture
def no_umap(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)


@pytest.mark.usefixtures("no_umap")
def test_pca_is_the_singular_value_decompositions(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(500, 16)) * np.linspace(3, 1, 16) + 5
    coordinates = show.plane(features(vectors.astype(np.float16)), tmp_path)
    left, values, _ = np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)
    expected = left[:, :2] * values[:2]
    assert coordinates.shape == (500, 2)
    assert coordinates.dtype == np.float32
    for axis in (0, 1):
        assert abs(np.corrcoef(coordinates[:, axis], expected[:, axis])[0, 1]) > 0.9999
        assert coordinates[:, axis].std() == pytest.approx(expected[:, axis].std(), rel=1e-3)


@pytest.mark.usefixtures("no_umap")
def test_pca_does_not_turn_with_the_order(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(100, 8)) * np.linspace(3, 1, 8)
    forwards = show.plane(features(vectors), tmp_path / "forwards")
    backwards = show.plane(features(vectors[::-1]), tmp_path / "backwards")
    np.testing.assert_allclose(backwards[::-1], forwards, atol=1e-5)


@pytest.mark.usefixtures("no_umap")
def test_coordinates_are_kept_for_the_same_features_alone(tmp_path):
    """What is kept is taken without a look at the vectors, unless it is of other features, damaged or not there."""
    vectors = np.random.default_rng(0).normal(size=(50, 8)) * np.linspace(3, 1, 8)
    first = show.plane(features(vectors), tmp_path)
    np.testing.assert_array_equal(show.plane(features(vectors[::-1]), tmp_path), first)
    others = show.plane(features(vectors[::-1], "others"), tmp_path)
    assert abs(others - first).max() > 1
    file = tmp_path / "plane.parquet"
    file.write_bytes(file.read_bytes()[:100])
    np.testing.assert_array_equal(show.plane(features(vectors), tmp_path), first)


@pytest.mark.skipif(not importlib.util.find_spec("umap"), reason="umap-learn is not installed")
@pytest.mark.parametrize("games", [4, 80])
def test_umap_keeps_groups_apart(tmp_path, games):
    half = games // 2
    vectors = np.random.default_rng(0).normal(size=(2 * half, 8)) + np.repeat([[0], [20]], half, 0) * np.eye(8)[0] + 1
    places = show.plane(features(vectors.astype(np.float32)), tmp_path)
    assert places.shape == (2 * half, 2)
    middles = places[:half].mean(0), places[half:].mean(0)
    assert np.linalg.norm(middles[0] - middles[1]) > 2 * places[:half].std(0).max()
