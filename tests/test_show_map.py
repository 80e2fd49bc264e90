"""Where the coordinates of the map come from."""

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest

from utils import show


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
