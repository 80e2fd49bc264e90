"""Where each game stands on a map: two coordinates from its features."""

import math
from typing import TYPE_CHECKING

import numpy as np

from utils.errors import PlainError

if TYPE_CHECKING:
    from utils.features import Features

_TILE = 4096  # rows whose products are computed at a time


class MapError(PlainError, ValueError):
    """A map that cannot be drawn; the message says why and what to do."""


def plane(features: "Features", method: str = "pca") -> np.ndarray:
    """Return coordinates (n, 2) float32 that put games with similar features (n, dim) near each other.

    method: "pca" (the two axes of largest variance), or "umap" or "tsne" where umap-learn or scikit-learn is installed.
    Raises MapError for another method, and without the library.
    """
    if method not in _METHODS:
        raise MapError(f"method is {method!r}; allowed are {', '.join(map(repr, _METHODS))}")
    try:
        return _METHODS[method](features.vectors).astype(np.float32)
    except ModuleNotFoundError as error:
        library = {"umap": "umap-learn", "sklearn": "scikit-learn"}.get(error.name or "", error.name)
        raise MapError(f"method {method!r} needs a library that is not installed: pip install {library}") from None


def _pca(vectors: np.ndarray) -> np.ndarray:
    mean = vectors.mean(0, dtype=np.float64).astype(np.float32)
    tiles = np.array_split(vectors, math.ceil(len(vectors) / _TILE))
    covariance = sum(_scatter(tile - mean) for tile in tiles)
    axes = np.linalg.eigh(covariance)[1][:, :-3:-1]
    largest = np.abs(axes).argmax(0)
    axes = axes * np.sign(axes[largest, [0, 1]])  # an axis' sign is free: this one is always the same
    return np.concatenate([(tile - mean) @ axes for tile in tiles])


def _scatter(centred: np.ndarray) -> np.ndarray:
    return (centred.T @ centred).astype(np.float64)


def _umap(vectors: np.ndarray) -> np.ndarray:
    from umap import UMAP  # ty: ignore[import-not-found] - an optional library

    return UMAP(metric="cosine", random_state=0, n_jobs=1).fit_transform(vectors.astype(np.float32))


def _tsne(vectors: np.ndarray) -> np.ndarray:
    from sklearn.manifold import TSNE

    return TSNE(metric="cosine", random_state=0).fit_transform(vectors.astype(np.float32))


_METHODS = {"pca": _pca, "umap": _umap, "tsne": _tsne}
