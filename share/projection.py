"""Where each game lies on a map: two coordinates from its features, computed once and kept."""

import importlib.util
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa

from utils import files
from utils.errors import DamagedError
from utils.matching import Prepared

FILE = "plane.parquet"
SCHEMA = pa.schema([("appid", pa.int64()), ("x", pa.float32()), ("y", pa.float32())])

_FEWEST = 16  # games for UMAP, which looks at fifteen neighbours of each


def projection_2d(features: Prepared, folder: Path) -> np.ndarray:
    """Return coordinates (n, 2) float32 that put games with similar features (n, dim) near each other.

    By UMAP where umap-learn is installed, which for 100,000 games takes some minutes, else by PCA: the two axes of
    largest variance. They are kept in a folder, and taken from there for the same features and the same method.
    """
    method = "umap" if importlib.util.find_spec("umap") and len(features.vectors) >= _FEWEST else "pca"
    made = {"fingerprint": features.manifest["fingerprint"], "method": method}
    with suppress(DamagedError):
        table, about = files.read_table(folder / FILE, SCHEMA)
        if about == made:
            return np.column_stack([table["x"].to_numpy(), table["y"].to_numpy()])
    coordinates = (_umap if method == "umap" else _pca)(features.vectors).astype(np.float32)
    files.write_table(folder / FILE, pa.table([features.appids, *coordinates.T], schema=SCHEMA), made)
    return coordinates


def _pca(vectors: np.ndarray) -> np.ndarray:
    centred = vectors.astype(np.float32) - vectors.mean(0, dtype=np.float64).astype(np.float32)
    axes = np.linalg.eigh(centred.T @ centred)[1][:, :-3:-1]
    largest = np.abs(axes).argmax(0)
    return centred @ (axes * np.sign(axes[largest, [0, 1]]))  # an axis' sign is free: this one is always the same


def _umap(vectors: np.ndarray) -> np.ndarray:
    from umap import UMAP  # ty: ignore[import-not-found] - an optional library

    return UMAP(metric="cosine", random_state=0, n_jobs=1).fit_transform(vectors.astype(np.float32))
