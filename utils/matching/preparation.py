"""Features -> unit vectors whose products are the cosines: as they are, centred, or whitened."""

import hashlib
import warnings
from dataclasses import dataclass, replace

import numpy as np

from utils.errors import PlainError
from utils.features import Features
from utils.settings import PREPARATIONS

_ROWS = 4096  # vectors held in float64 at a time
_FLOOR = 0.01  # of the largest eigenvalue: axes with less hold noise, which whitening would blow up
_ROUNDING = 1e-6  # a vector that centring makes this much shorter was the mean, give or take rounding


class MatchError(PlainError, ValueError):
    """A question that these features cannot answer; the message says why and what to do."""


@dataclass(frozen=True)
class Prepared(Features):
    """Features ready for matching: vectors float32 (n, dim) of length 1, in the order of their appids.

    `shift` (dim,) was subtracted and `turn` (dim, dim), if any, applied from the right, both float64, before the
    vectors were brought to length 1; vectors from outside are prepared by the same two.
    """

    shift: np.ndarray
    turn: np.ndarray | None

    def units(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return an Encoder's vectors (q, dim) rounded to float16 and prepared as the games' were: float32 of length 1.

        The second, bool (q,), says which of them point anywhere; the others come out as zeros.
        """
        return transform(vectors.astype(np.float16), self.shift, self.turn)

    def only(self, appids: np.ndarray) -> "Prepared":
        """Return some of the games, prepared as they were with all; appids that are not here are passed over."""
        kept = np.isin(self.appids, appids)
        names = self.names[kept]
        fingerprint = hashlib.sha256(self.manifest["fingerprint"].encode() + self.appids[kept].tobytes()).hexdigest()
        manifest = self.manifest | {"fingerprint": fingerprint}
        return replace(self, appids=self.appids[kept], names=names, vectors=self.vectors[kept], manifest=manifest)


def prepare(features: Features, how: str = "whitened", *, exponent: float = 0.5) -> Prepared:
    """Return features made ready for matching, with what was done to them as the manifest's "preparation".

    `how` is "as they are" (brought to length 1 only), "centred" (the mean of all games subtracted first, as SSCD does,
    https://arxiv.org/abs/2202.10261) or "whitened" (centred, then each principal axis divided by its eigenvalue to the
    power exponent / 2, eigenvalues below a hundredth of the largest raised to that; fitted on all the games given).
    Games whose vector is zero, not finite, or nothing but the mean point nowhere: they are left out, with a warning
    that names them and in the manifest under "left_out". All is computed in float64.

    Raises MatchError for a preparation or exponent that is not allowed, for features that are prepared already, and
    where fewer than two games are left.
    """
    _check(features, how, exponent)
    shift, turn = _fit(features.vectors[_usable(features.vectors)], how, exponent)
    vectors, pointing = transform(features.vectors, shift, turn)
    order = np.argsort(features.appids, kind="stable")
    kept = order[pointing[order]]
    if len(kept) < 2:
        raise MatchError(f"matching needs at least two games; {len(kept)} of {len(order)} have a vector to match")
    left_out = _left_out(features, order[~pointing[order]])
    done = f"whitened (exponent {exponent:g}, floor {_FLOOR:g})" if how == "whitened" else how
    fingerprint = _fingerprint(features, done)
    manifest = features.manifest | {"preparation": done, "left_out": left_out, "fingerprint": fingerprint}
    return Prepared(features.appids[kept], features.names[kept], vectors[kept], manifest, shift, turn)


def prepared(features: Features) -> Prepared:
    """Return features ready for matching: prepared as they are, unless they were prepared before."""
    return features if isinstance(features, Prepared) else prepare(features, "as they are")


def transform(vectors: np.ndarray, shift: np.ndarray, turn: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors (n, dim) prepared, float32 of length 1, and which of them point anywhere, bool (n,).

    Those that do not (zero, not finite, or nothing but the mean) come out as zeros.
    """
    unit = np.zeros(vectors.shape, np.float32)
    pointing = _usable(vectors)
    for start in range(0, len(vectors), _ROWS):
        rows = slice(start, start + _ROWS)
        exact = np.where(pointing[rows, None], vectors[rows], 0).astype(np.float64)
        moved = exact - shift
        pointing[rows] &= np.linalg.norm(moved, axis=1) > _ROUNDING * np.linalg.norm(exact, axis=1)
        turned = (moved if turn is None else moved @ turn)[pointing[rows]]
        unit[rows][pointing[rows]] = turned / np.linalg.norm(turned, axis=1, keepdims=True)
    return unit, pointing


def _check(features: Features, how: str, exponent: float) -> None:
    if how not in PREPARATIONS:
        raise MatchError(f"preparation is {how!r}; allowed are {', '.join(map(repr, PREPARATIONS))}")
    if isinstance(features, Prepared):
        done = features.manifest["preparation"]
        raise MatchError(f"these features are already prepared ({done}); pass those that features.load returns")
    if not 0 <= exponent <= 2:
        raise MatchError(f"exponent is {exponent}; allowed are 0 to 2")


def _fit(vectors: np.ndarray, how: str, exponent: float) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what to subtract (dim,) and what to multiply by (dim, dim) or None, float64, learned from (n, dim)."""
    count, dims = vectors.shape
    if how == "as they are" or not count:
        return np.zeros(dims), None
    shift = vectors.mean(0, dtype=np.float64)
    if how == "centred":
        return shift, None
    covariance = np.zeros((dims, dims))
    for start in range(0, count, _ROWS):
        centred = vectors[start : start + _ROWS] - shift
        covariance += centred.T @ centred / count
    eigenvalues, axes = np.linalg.eigh(covariance)
    raised = np.maximum(eigenvalues, max(_FLOOR * eigenvalues[-1], np.finfo(np.float64).tiny))
    return shift, axes * raised ** (-exponent / 2)


def _usable(vectors: np.ndarray) -> np.ndarray:
    return np.logical_and(np.isfinite(vectors).all(axis=1), vectors.any(axis=1))


def _left_out(features: Features, rows: np.ndarray) -> list[int]:
    """Return the appids of games without a vector to match, after a warning that names them."""
    if len(rows):
        named = ", ".join(f"{features.names[row]} ({features.appids[row]})" for row in rows[:10])
        more = f" and {len(rows) - 10:,} more" if len(rows) > 10 else ""
        warnings.warn(f"left out, their vectors are zero, not finite, or just the mean: {named}{more}", stacklevel=3)
    return features.appids[rows].tolist()


def _fingerprint(features: Features, done: str) -> str:
    """Return what tells these features, prepared like this, from all others."""
    digest = hashlib.sha256(done.encode())
    for part in (features.appids, features.vectors):
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()
