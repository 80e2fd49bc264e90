"""Features -> unit vectors whose products are the cosines: as they are, centred, or whitened."""

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from utils.errors import MatchError
from utils.features import Features
from utils.settings import PREPARATIONS

_ROWS = 4096  # vectors held in float64 at a time
_FLOOR = 0.01  # of the largest eigenvalue: axes with less hold noise, which whitening would blow up
_ROUNDING = 1e-6  # a vector that centring makes this much shorter was the mean, give or take rounding


@dataclass(frozen=True)
class Prepared(Features):
    """Features ready for matching: vectors float32 (n, dim) of length 1, in the order of their appids.

    `mean` (dim,) was subtracted and `whitening_matrix` (dim, dim), if any, applied from the right, both float64, before
    the vectors were brought to length 1; vectors from outside are prepared by the same two.
    """

    mean: np.ndarray
    whitening_matrix: np.ndarray | None

    def units(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return an Encoder's vectors (q, dim) rounded to float16 and prepared as the games' were: float32 of length 1.

        The second, bool (q,), is False for those without a direction, which come out as zero vectors: they are zero,
        not finite, or nothing but the mean.
        """
        stored = vectors.astype(np.float16)
        unit = np.zeros(stored.shape, np.float32)
        usable = _usable(stored)
        for start in range(0, len(stored), _ROWS):
            rows = slice(start, start + _ROWS)
            exact = np.where(usable[rows, None], stored[rows], 0).astype(np.float64)
            centred = exact - self.mean
            usable[rows] &= np.linalg.norm(centred, axis=1) > _ROUNDING * np.linalg.norm(exact, axis=1)
            moved = (centred if self.whitening_matrix is None else centred @ self.whitening_matrix)[usable[rows]]
            unit[rows][usable[rows]] = moved / np.linalg.norm(moved, axis=1, keepdims=True)
        return unit, usable

    def only(self, appids: np.ndarray) -> "Prepared":
        """Return some of the games, prepared as they were with all; appids that are not here are passed over."""
        chosen = np.isin(self.appids, appids)
        kept = self.appids[chosen]
        fingerprint = hashlib.sha256(self.manifest["fingerprint"].encode() + kept.tobytes()).hexdigest()
        manifest = self.manifest | {"fingerprint": fingerprint}
        return replace(self, appids=kept, names=self.names[chosen], vectors=self.vectors[chosen], manifest=manifest)


def prepare(features: Features, how: str = "whitened", *, exponent: float = 0.5) -> Prepared:
    """Return features made ready for matching, with what was done to them as the manifest's "preparation".

    `how` is "as they are" (brought to length 1 only), "centred" (the mean of all games subtracted first, as SSCD does,
    https://arxiv.org/abs/2202.10261) or "whitened" (centred, then each principal axis divided by its eigenvalue to the
    power exponent / 2, eigenvalues below a hundredth of the largest raised to that); float64 throughout. Games whose
    vector is zero, not finite, or nothing but the mean are left out, with a warning and in the manifest's "left_out".

    Raises MatchError for what is not allowed, features prepared already, and where fewer than two games are left.
    """
    if how not in PREPARATIONS:
        raise MatchError(f"preparation is {how!r}; allowed are {', '.join(map(repr, PREPARATIONS))}")
    if isinstance(features, Prepared):
        done = features.manifest["preparation"]
        raise MatchError(f"these features are already prepared ({done}); pass those that features.load returns")
    if not 0 <= exponent <= 2:
        raise MatchError(f"exponent is {exponent}; allowed are 0 to 2")
    learned = _learned(features.vectors[_usable(features.vectors)], how, exponent)
    fitted = Prepared(features.appids, features.names, features.vectors, features.manifest, *learned)
    vectors, usable = fitted.units(features.vectors)
    if usable.sum() < 2:
        raise MatchError(
            f"matching needs at least two games, and {usable.sum()} of {len(features)} have a vector to match; where "
            "the pictures of all are the same, matching.prepare(features, 'as they are') matches them"
        )
    order = np.argsort(features.appids, kind="stable")
    kept, left_out = order[usable[order]], order[~usable[order]]
    if len(left_out):
        named = ", ".join(f"{features.names[row]} ({features.appids[row]})" for row in left_out[:10])
        why = "as their vectors are zero, not finite, or just the mean"
        warnings.warn(f"left out {len(left_out):,} games, {why}: {named}", stacklevel=2)
    done = f"whitened (exponent {exponent:g}, floor {_FLOOR:g})" if how == "whitened" else how
    digest = hashlib.sha256(done.encode() + features.appids.tobytes())
    digest.update(np.ascontiguousarray(features.vectors).data)
    about = {"preparation": done, "left_out": features.appids[left_out].tolist(), "fingerprint": digest.hexdigest()}
    return Prepared(features.appids[kept], features.names[kept], vectors[kept], features.manifest | about, *learned)


def prepared(features: Features) -> Prepared:
    """Return features ready for matching: prepared as they are, unless they were prepared before."""
    return features if isinstance(features, Prepared) else prepare(features, "as they are")


def rows_of(appids: np.ndarray, wanted: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return where in ascending appids the wanted ones stand; raises MatchError for one that is not there."""
    wanted = np.asarray(wanted)
    rows = np.searchsorted(appids, wanted).clip(max=len(appids) - 1)
    missing = appids[rows] != wanted
    if missing.any():
        raise MatchError(f"game {wanted[missing][0]} is not among the {len(appids):,} games with a vector to match")
    return rows


def _usable(vectors: np.ndarray) -> np.ndarray:
    return np.logical_and(np.isfinite(vectors).all(axis=1), vectors.any(axis=1))


def _learned(vectors: np.ndarray, how: str, exponent: float) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what to subtract (dim,) and what to multiply by (dim, dim) or None, float64, learned from (n, dim)."""
    count, dims = vectors.shape
    if how == "as they are" or not count:
        return np.zeros(dims), None
    mean = vectors.mean(0, dtype=np.float64)
    if how == "centred":
        return mean, None
    covariance = np.zeros((dims, dims))
    for start in range(0, count, _ROWS):
        centred = vectors[start : start + _ROWS] - mean
        covariance += centred.T @ centred / count
    eigenvalues, axes = np.linalg.eigh(covariance)
    raised = np.maximum(eigenvalues, max(_FLOOR * eigenvalues[-1], np.finfo(np.float64).tiny))
    return mean, axes * raised ** (-exponent / 2)
