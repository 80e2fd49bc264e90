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


def test_pca_is_the_singular_value_decompositions():
    vectors = np.random.default_rng(0).normal(size=(500, 16)) * np.linspace(3, 1, 16) + 5
    coordinates = show.plane(SimpleNamespace(vectors=vectors.astype(np.float16)))
    left, values, _ = np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)
    expected = left[:, :2] * values[:2]
    assert coordinates.shape == (500, 2)
    assert coordinates.dtype == np.float32
    for axis in (0, 1):
        assert abs(np.corrcoef(coordinates[:, axis], expected[:, axis])[0, 1]) > 0.9999
        assert coordinates[:, axis].std() == pytest.approx(expected[:, axis].std(), rel=1e-3)


def test_pca_does_not_turn_with_the_order():
    vectors = np.random.default_rng(0).normal(size=(100, 8)) * np.linspace(3, 1, 8)
    forwards = show.plane(SimpleNamespace(vectors=vectors))
    backwards = show.plane(SimpleNamespace(vectors=vectors[::-1]))
    np.testing.assert_allclose(backwards[::-1], forwards, atol=1e-5)


@pytest.mark.parametrize(
    ("method", "module", "library"), [("tsne", "sklearn", "scikit-learn"), ("umap", "umap", "umap-learn")]
)
def test_other_maps_where_the_library_is(method, module, library):
    """Two groups stay apart, or the error says what to install."""
    vectors = np.random.default_rng(0).normal(size=(80, 8)) + np.repeat([[0], [20]], 40, 0) * np.eye(8)[0] + 1
    features = SimpleNamespace(vectors=vectors)
    if not importlib.util.find_spec(module):
        with pytest.raises(show.MapError, match=f"pip install {library}"):
            show.plane(features, method)
        return
    places = show.plane(features, method)
    middles = places[:40].mean(0), places[40:].mean(0)
    assert np.linalg.norm(middles[0] - middles[1]) > 2 * places[:40].std(0).max()


def test_unknown_map():
    with pytest.raises(show.MapError, match="'mds'; allowed are 'pca', 'umap', 'tsne'"):
        show.plane(SimpleNamespace(vectors=np.eye(3)), "mds")
